"""The form of an integration: lists are written one entry to a line."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.errors import Forbidden, Invalid

ROLE_WORDS = {
    "agent": _("Converses: reads, writes, asks models, hears what happens"),
    "system": _("Tells: alerts, forms and cron jobs that write and read nothing"),
    "gateway": _("Carries a channel both ways: SMS, e-mail, chat bridges"),
    "reader": _("Looks: reads conversations and writes nothing"),
}
ME, NOBODY, OTHER = "me", "nobody", "other"
LISTS = ("models", "conversations", "threads")
NUMBERS = ("requests_per_minute", "concurrency", "tokens_per_day", "money_per_day")


class LinesField(forms.CharField):
    """A list of texts, one to a line."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "off"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").replace(",", "\n").splitlines() if line.strip()]


class _Number(forms.IntegerField):
    widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})


class IntegrationForm(forms.Form):
    """What the API takes, for people."""

    name = forms.CharField(
        label=_("Name"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("What it does"), required=False, widget=forms.RadioSelect)
    acts_as = forms.ChoiceField(label=_("Acts for"), help_text=_("Whose conversations it reads and writes."))
    grants = LinesField(
        label=_("Grants"),
        required=False,
        help_text=_("resource:action or resource:action:selector, one to a line."),
    )
    allowed_addresses = LinesField(
        label=_("Addresses its keys may come from"),
        required=False,
        help_text=_("Addresses or networks such as 192.0.2.0/24. Empty: any."),
    )
    models = LinesField(
        label=_("Models it may ask"), required=False, help_text=_("Names; gpt-* is a pattern. Empty: any.")
    )
    conversations = LinesField(
        label=_("Conversations it may write to"), required=False, help_text=_("Their ids. Empty: any.")
    )
    threads = LinesField(
        label=_("Threads it may write to"),
        required=False,
        help_text=_("Names or patterns such as db-*. Empty: any."),
    )
    metadata_schema = forms.CharField(
        label=_("JSON Schema of its metadata"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("Messages whose metadata does not fit it are refused. Empty: any."),
    )
    requests_per_minute = _Number(label=_("Requests a minute"), required=False, min_value=1)
    concurrency = _Number(label=_("Replies at once"), required=False, min_value=1)
    tokens_per_day = _Number(label=_("Tokens a day"), required=False, min_value=1)
    money_per_day = forms.DecimalField(
        label=_("USD a day"),
        required=False,
        max_digits=14,
        decimal_places=4,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    enabled = forms.BooleanField(label=_("In force"), required=False, initial=True)

    def __init__(
        self,
        principal: Principal,
        integration: Integration | None = None,
        constraints: Mapping[str, Any] | None = None,
        data: Any = None,
    ) -> None:
        initial = (
            _initial(principal, integration, constraints or {})
            if integration
            else {"role": "agent", "acts_as": ME}
        )
        super().__init__(data, initial=initial)
        self._principal, self._integration = principal, integration
        if integration is not None:
            del self.fields["role"]
        else:
            del self.fields["enabled"]
            self.fields["role"].choices = [*ROLE_WORDS.items(), ("", _("Only the grants below"))]  # type: ignore[attr-defined]
        self.fields["acts_as"].choices = _acting(principal, integration)  # type: ignore[attr-defined]

    @property
    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("name", "role", "acts_as", "enabled") if name in self.fields]

    @property
    def grant_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("grants", "allowed_addresses")]

    @property
    def number_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in NUMBERS]

    @property
    def constraint_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in (*LISTS, "metadata_schema")]

    @property
    def narrows(self) -> bool:
        """Whether the rarer limits hold something to see."""
        return any(field.value() or field.errors for field in self.constraint_fields)

    def clean_metadata_schema(self) -> Any:
        text = self.cleaned_data["metadata_schema"]
        try:
            found = json.loads(text) if text else None
        except (ValueError, RecursionError):
            found = text
        if text and not isinstance(found, dict):
            raise forms.ValidationError(_("This is not a JSON object."))
        return found

    def integration_fields(self) -> dict[str, Any]:
        """As the actions take them."""
        values = self.cleaned_data
        constraints = {name: values[name] for name in (*LISTS, "metadata_schema", *NUMBERS) if values[name]}
        fields = {name: values[name] for name in ("name", "grants", "allowed_addresses")}
        fields["constraints"] = constraints
        if self._integration is not None:
            fields["enabled"] = values["enabled"]
        else:
            fields["role"] = values["role"]
        if values["acts_as"] != OTHER:
            user = self._principal.user
            fields["acts_as"] = user.id if values["acts_as"] == ME and user else None
        return fields

    def complain(self, refusal: Invalid | Forbidden) -> None:
        """Show what the action did not accept beside its field."""
        for problem in refusal.errors or ():
            places = [place for place in problem.pointer.split("/") if place in self.fields]
            self.add_error(places[-1] if places else None, problem.detail)
        if not refusal.errors:
            self.add_error(None, refusal.detail)


def _initial(
    principal: Principal, integration: Integration, constraints: Mapping[str, Any]
) -> dict[str, Any]:
    names = ("name", "grants", "allowed_addresses", "enabled")
    schema = constraints.get("metadata_schema")
    return {
        **{name: getattr(integration, name) for name in names},
        **{name: constraints.get(name) for name in LISTS},
        **{name: _plain(constraints.get(name)) for name in NUMBERS},
        "metadata_schema": json.dumps(schema, indent=2, ensure_ascii=False) if schema else "",
        "acts_as": _acting_now(principal, integration),
    }


def _plain(amount: Any) -> Any:
    text = f"{amount:f}" if amount is not None else ""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _acting_now(principal: Principal, integration: Integration) -> str:
    if integration.acts_as_id is None:
        return NOBODY
    return ME if principal.user and principal.user.id == integration.acts_as_id else OTHER


def _acting(principal: Principal, integration: Integration | None) -> list[tuple[str, Any]]:
    choices: list[tuple[str, Any]] = [(ME, _("Me")), (NOBODY, _("Nobody"))]
    if integration and integration.acts_as and _acting_now(principal, integration) == OTHER:
        choices.insert(0, (OTHER, integration.acts_as.display_name))
    return choices
