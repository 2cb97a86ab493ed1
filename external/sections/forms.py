"""What the forms of the sections have in common: whose it is, its name, and complaints beside their fields."""

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError


class SectionForm(forms.Form):
    """A field is named as the body of the API names it, a part of an object as `object-part`."""

    integration = forms.ChoiceField(label=_("Integration"))
    name = forms.CharField(
        label=_("Name"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, principal: Principal, row: Any = None, data: Any = None, **initial: Any) -> None:
        super().__init__(data, initial=({"name": row.name} if row else {}) | initial)
        self.row = row
        self.has_author = True
        if row is not None:
            del self.fields["integration"]
            return
        own = Integration.objects.filter(workspace=principal.workspace).order_by("name")
        choices = [(str(each.pk), each.name) for each in own]
        self.has_author = bool(choices)
        self.fields["integration"].choices = choices  # type: ignore[attr-defined]

    def given(self) -> dict[str, Any]:
        """As the actions take it."""
        raise NotImplementedError

    def place_of(self, pointer: str, detail: str) -> tuple[str | None, str]:  # noqa: ARG002
        """The field that a pointer of the API is about, and where in it: else the first part of what it names."""
        parts = pointer.strip("/").split("/")
        for length in range(len(parts), 0, -1):
            name = "-".join(parts[:length])
            if name in self.fields:
                return name, "/".join(parts[length:])
            if first := next((each for each in self.fields if each.startswith(f"{name}-")), None):
                return first, ""
        return None, ""

    def complain(self, refusal: ChatcoreError) -> None:
        """Show what the action did not accept beside the field it is about."""
        for problem in refusal.errors:
            name, within = self.place_of(problem.pointer, problem.detail)
            self.add_error(name, f"{within}: {problem.detail}" if within else capfirst(problem.detail))
        if not refusal.errors:
            self.add_error(self.place_of_refusal(refusal), refusal.detail)

    def place_of_refusal(self, refusal: ChatcoreError) -> str | None:  # noqa: ARG002
        """Where a refusal goes that points at nothing; None: above all fields."""
        return None
