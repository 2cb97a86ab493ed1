"""The form of a webhook: types one a line, the filter as JSON."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chatcore.errors import Invalid
from external.models import Webhook

FIELDS = ("url", "description", "types", "filter", "payload", "ordered")


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=2_000,
        help_text=gettext_lazy("https, and public. It is told nothing before it has answered a challenge."),
    )
    description = forms.CharField(label=gettext_lazy("What it is for"), max_length=200, required=False)
    types = forms.CharField(
        label=gettext_lazy("Events"),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "off"}),
        help_text=gettext_lazy("One a line; * stands for any part: message.created, reply.*, *"),
    )
    filter = forms.CharField(
        label=gettext_lazy("Only those that meet"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "off"}),
        help_text=gettext_lazy('A condition as JSON, for example {"path": "data.author", "eq": "user"}'),
    )
    payload = forms.ChoiceField(
        label=gettext_lazy("What is sent"),
        choices=[("full", gettext_lazy("All of the event")), ("thin", gettext_lazy("Ids alone"))],
    )
    ordered = forms.BooleanField(
        label=gettext_lazy("In order"),
        required=False,
        help_text=gettext_lazy("The next waits until the one before it is delivered or given up."),
    )

    def __init__(self, webhook: Webhook | None = None, data: Any = None) -> None:
        super().__init__(data, initial=_initial(webhook) if webhook else {"types": "message.created"})
        self.fields["url"].widget.attrs |= {"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}

    def clean_filter(self) -> Any:
        text = self.cleaned_data["filter"].strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is no JSON.")) from None

    def clean_types(self) -> list[str]:
        return [word for word in self.cleaned_data["types"].replace(",", " ").split() if word]

    def complain(self, refusal: Invalid) -> None:
        """Show what the action refused beside the field it is about."""
        for problem in refusal.errors:
            name, _, place = problem.pointer.strip("/").partition("/")
            detail = f"{place}: {problem.detail}" if name == "filter" and place else problem.detail
            self.add_error(name if name in FIELDS else None, detail)


def _initial(webhook: Webhook) -> dict[str, Any]:
    fields = {name: getattr(webhook, name) for name in FIELDS}
    condition = "" if webhook.filter is None else json.dumps(webhook.filter, ensure_ascii=False, indent=1)
    return fields | {"types": "\n".join(webhook.types), "filter": condition}
