"""The form of a source: what its adapter asks for, each beside what it is."""

from typing import Any

from django.utils.translation import gettext as _

from chatcore.accounts.principals import Principal
from external.adapters.registry import adapters
from external.models import Source
from external.sections.forms import SectionForm
from external.sections.options import label_of, option_fields, options_given, secret_field
from external.sources.opening import secret_names

LONGEST_SECRET = 1_000


class SourceForm(SectionForm):
    """Secrets that are left empty stay as they are."""

    def __init__(self, principal: Principal, adapter: str, source: Source | None, data: Any) -> None:
        super().__init__(principal, source, data)
        self.adapter = adapter
        known = adapters().get(adapter)
        stored = set(secret_names(source)) if source else set()
        if known is None:
            return
        for name, what in known.SECRETS.items():
            self.fields[f"secrets-{name}"] = secret_field(
                label_of(name), what, is_stored=name in stored, limit=LONGEST_SECRET
            )
        kept = source.settings if source else {}
        self.fields |= option_fields("settings", known.SETTINGS, known.SHAPES, kept)

    @property
    def kind_label(self) -> str:
        known = adapters().get(self.adapter)
        return known.LABEL if known else _("Its package is not installed")

    def given(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        fields: dict[str, Any] = {
            "name": cleaned["name"],
            "secrets": options_given("secrets", cleaned),
            "settings": options_given("settings", cleaned),
        }
        return (
            fields if self.row else fields | {"adapter": self.adapter, "integration": cleaned["integration"]}
        )
