"""How many tokens and how much money an integration may use in a day: kept as budgets of it, which are exact when many
ask at once, and which the page of usage shows too.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from chatcore.accounts.models import Integration
from chatcore.usage.actions import save_budget
from chatcore.usage.models import Budget

CURRENCY = "USD"
UNITS = {"tokens_per_day": Budget.Unit.TOKENS, "money_per_day": Budget.Unit.MONEY}
_NAMES = {unit: name for name, unit in UNITS.items()}


def amounts_of(integrations: Iterable[Integration]) -> dict[uuid.UUID, dict[str, Decimal]]:
    """By integration, those of the two that it is held to."""
    found: dict[uuid.UUID, dict[str, Decimal]] = defaultdict(dict)
    for budget in _budgets().filter(integration__in=list(integrations), enabled=True):
        found[budget.integration_id][_NAMES[Budget.Unit(budget.unit)]] = budget.limit
    return found


def keep_amounts(integration: Integration, amounts: Mapping[str, Any]) -> None:
    """Hold it to these from now on, and to the other of the two no more. In the caller's transaction."""
    for name, unit in UNITS.items():
        budget = _budgets().select_for_update(of=("self",)).filter(integration=integration, unit=unit).first()
        limit = amounts.get(name)
        if limit is None:
            if budget is not None and budget.enabled:
                budget.delete()
            continue
        budget = budget or Budget(
            workspace_id=integration.workspace_id,
            integration=integration,
            unit=unit,
            period=Budget.Period.DAY,
        )
        if budget.limit != Decimal(str(limit)) or not budget.enabled:
            budget.limit, budget.enabled, budget.currency = Decimal(str(limit)), True, CURRENCY
            save_budget(budget)


def _budgets() -> Any:
    """The workspace's own: what staff set beside them stays as it is."""
    return Budget.objects.filter(
        user=None,
        model=None,
        period=Budget.Period.DAY,
        currency=CURRENCY,
        unit__in=UNITS.values(),
        set_by_staff=False,
    ).order_by("pk")
