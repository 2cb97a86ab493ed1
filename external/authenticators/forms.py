"""The form of an authenticator: the options of its kind, and a secret where the kind shares one."""

import re
from typing import Any

from django.utils.translation import gettext as _

from chatcore.accounts.principals import Principal
from external.authenticators.kinds import kinds
from external.models import Authenticator
from external.sections.forms import SectionForm
from external.sections.options import option_fields, options_given, secret_field

LONGEST_SECRET = 10_000


class AuthenticatorForm(SectionForm):
    """A secret that is left empty stays as it is."""

    def __init__(self, principal: Principal, kind: str, row: Authenticator | None, data: Any) -> None:
        super().__init__(principal, row, data)
        self.kind = kind
        known = kinds().get(kind)
        if known is None:
            return
        shapes, stored = getattr(known, "SHAPES", {}), row.options if row else {}
        self.fields |= option_fields("options", known.OPTIONS, shapes, stored)
        if told := getattr(known, "SHARED", _("If the other side shares one")):
            has_secret = bool(row and row.has_secret)
            self.fields["secret"] = secret_field(
                _("Secret"), told, is_stored=has_secret, limit=LONGEST_SECRET
            )

    @property
    def kind_label(self) -> str:
        known = kinds().get(self.kind)
        return known.LABEL if known else _("Its package is not installed")

    def given(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        fields: dict[str, Any] = {"name": cleaned["name"]}
        options = options_given("options", cleaned)
        if self.row is None or options != self.row.options:
            fields["options"] = options
        if cleaned.get("secret"):
            fields["secret"] = cleaned["secret"]
        return fields if self.row else fields | {"kind": self.kind, "integration": cleaned["integration"]}

    def place_of(self, pointer: str, detail: str) -> tuple[str | None, str]:
        """A kind says in words which of its options it cannot use."""
        if pointer == "/options":
            for word in re.findall(r"\w+", detail):
                if f"options-{word}" in self.fields:
                    return f"options-{word}", ""
        return super().place_of(pointer, detail)
