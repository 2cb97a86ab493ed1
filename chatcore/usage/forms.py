"""The form of a budget: whom it covers is one choice, of everybody, people and integrations."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chatcore.accounts.models import Integration, User, Workspace
from chatcore.errors import Invalid
from chatcore.llm.models import Model
from chatcore.usage.models import Budget

ALL = ""


class BudgetForm(forms.Form):
    covers = forms.ChoiceField(label=gettext_lazy("Covers"), required=False)
    model = forms.ChoiceField(label=gettext_lazy("Model"), required=False)
    limit = forms.DecimalField(
        label=gettext_lazy("Limit"), max_digits=24, decimal_places=10, widget=forms.TextInput
    )
    unit = forms.ChoiceField(label=gettext_lazy("Of"))
    period = forms.ChoiceField(label=gettext_lazy("In each"))
    strict = forms.BooleanField(
        label=gettext_lazy("Refuse models whose price is unknown"),
        required=False,
        help_text=gettext_lazy("Of a money budget. Otherwise they pass, and their cost is not counted."),
    )
    enabled = forms.BooleanField(label=gettext_lazy("In force"), required=False, initial=True)

    def __init__(self, workspace: Workspace, budget: Budget | None = None, data: Any = None) -> None:
        super().__init__(data, initial=_initial(budget) if budget else None)
        self.budget = budget
        self.currency = budget.currency if budget else "USD"
        self._people = {str(user.pk): user for user in _people(workspace)}
        self._integrations = {str(each.pk): each for each in Integration.objects.filter(workspace=workspace)}
        shared = Q(workspace=None) | Q(workspace=workspace)
        self._models = {str(model.pk): model for model in Model.objects.filter(shared)}
        self._choose()
        self.fields["limit"].widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def _choose(self) -> None:
        people = [(f"user:{pk}", user.display_name) for pk, user in self._people.items()]
        integrations = [(f"integration:{pk}", each.name) for pk, each in self._integrations.items()]
        covers: list[Any] = [(ALL, _("The whole workspace")), (_("One person"), people)]
        if integrations:
            covers.append((_("One integration"), integrations))
        units = {"requests": _("requests"), "tokens": _("tokens"), "money": self.currency}
        choices: dict[str, list[Any]] = {
            "covers": covers,
            "model": [(ALL, _("Every model")), *((pk, model.label) for pk, model in self._models.items())],
            "unit": list(units.items()),
            "period": [("day", _("day")), ("month", _("month"))],
        }
        for name, chosen in choices.items():
            self.fields[name].choices = chosen  # type: ignore[attr-defined]

    def budget_fields(self) -> dict[str, Any]:
        """What was chosen, as the actions take it."""
        chosen = dict(self.cleaned_data)
        kind, _colon, pk = chosen.pop("covers").partition(":")
        return chosen | {
            "user": self._people[pk] if kind == "user" else None,
            "integration": self._integrations[pk] if kind == "integration" else None,
            "model": self._models.get(chosen["model"]),
            "currency": self.currency,
        }

    def complain(self, refusal: Invalid) -> None:
        """Show what the action refused beside the field it is about."""
        for problem in refusal.errors:
            name = problem.pointer.strip("/")
            self.add_error(
                {"user": "covers", "integration": "covers"}.get(name, name) or None, problem.detail
            )


def _people(workspace: Workspace) -> list[User]:
    return list(User.objects.filter(memberships__workspace=workspace, is_active=True).order_by("email"))


def _initial(budget: Budget) -> dict[str, Any]:
    covers = f"user:{budget.user_id}" if budget.user_id else ALL
    if budget.integration_id:
        covers = f"integration:{budget.integration_id}"
    return {
        "covers": covers,
        "model": str(budget.model_id or ALL),
        "limit": f"{budget.limit.normalize():f}",
        "unit": budget.unit,
        "period": budget.period,
        "strict": budget.strict,
        "enabled": budget.enabled,
    }
