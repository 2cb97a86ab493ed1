"""The counters of budgets: what the ledger says was spent in a period, and what is set aside of it.

They are locked after all other rows, and among themselves in their order, so that no two transactions wait for each
other.
"""

import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from chatcore.usage import periods
from chatcore.usage.models import Budget, Spending, Usage

Counter: TypeAlias = tuple[uuid.UUID, date]  # the budget, and the first day of the period
Amounts: TypeAlias = dict[Counter, Decimal]


def ensure(counters: Iterable[Counter]) -> None:
    """Make the counters that are missing, each with what the ledger says was spent in its period so far."""
    chosen = sorted(set(counters))
    if not chosen:
        return
    known = Spending.objects.filter(budget__in={budget for budget, _ in chosen})
    missing = sorted(set(chosen) - set(known.values_list("budget", "starts_on")))
    if not missing:
        return
    values: dict[str, Any] = {
        "budgets": [budget for budget, _ in missing],
        "days": [day for _, day in missing],
    }
    with connection.cursor() as sql:
        sql.execute(_ENSURE, values)


def current(budgets: Iterable[Budget]) -> dict[uuid.UUID, Spending]:
    """By budget, the counter of the period that runs now. One that was removed meanwhile has none."""
    chosen = {budget.pk: budget for budget in budgets}
    now = timezone.now()
    counters = [(budget.pk, periods.start_of(budget.period, now)) for budget in chosen.values()]
    ensure(counters)
    days = {day for _, day in counters}
    found: dict[uuid.UUID, Spending] = {}
    for counter in Spending.objects.filter(budget__in=chosen, starts_on__in=days):
        counter.budget = chosen[counter.budget_id]
        if (counter.budget_id, counter.starts_on) in counters:
            found[counter.budget_id] = counter
    return found


def recount(counter: Counter) -> None:
    """Make the counter say what the ledger says. Counters are exact by themselves, but for a budget that was made
    in the very moment a call was settled.
    """
    budget_id, starts_on = counter
    values: dict[str, Any] = {"budget": budget_id, "day": starts_on}
    with connection.cursor() as sql:
        sql.execute(_LOCK, values)
        # A statement of its own: it must see what those have committed that were waited for.
        sql.execute(_RECOUNT, values)


def add(counter: Counter, *, spent: Decimal = Decimal(), reserved: Decimal = Decimal()) -> None:
    budget_id, starts_on = counter
    Spending.objects.filter(budget=budget_id, starts_on=starts_on).update(
        spent=F("spent") + spent, reserved=Greatest(F("reserved") + reserved, Decimal())
    )


def charge(budget: Budget, usage: Usage) -> Decimal:
    """What the call takes from the budget: the same as `_SUM` finds in the ledger. What is unknown takes nothing."""
    if budget.unit == Budget.Unit.REQUESTS:
        return Decimal(usage.purpose == "reply")
    if budget.unit == Budget.Unit.TOKENS:
        return Decimal((usage.input_tokens or 0) + (usage.output_tokens or 0))
    return usage.cost or Decimal() if usage.currency == budget.currency else Decimal()


_SUM = """
    select coalesce(sum(case b.unit
        when 'requests' then (u.purpose = 'reply')::int
        when 'tokens' then coalesce(u.input_tokens, 0)::bigint + coalesce(u.output_tokens, 0)
        else case when u.currency = b.currency then coalesce(u.cost, 0) else 0 end
    end), 0) as spent
    from usage_usage u
    where u.workspace_id = b.workspace_id
        and (b.user_id is null or u.user_id = b.user_id)
        and (b.integration_id is null or u.integration_id = b.integration_id)
        and (b.model_id is null or u.model_id = b.model_id)
        and u.created_at >= day.starts_on::timestamp at time zone 'UTC'
        and u.created_at < (day.starts_on + case b.period when 'day' then interval '1 day'
            else interval '1 month' end) at time zone 'UTC'
"""

_ENSURE = f"""
insert into usage_spending (budget_id, starts_on, spent, reserved)
select b.id, day.starts_on, total.spent, 0
from unnest(%(budgets)s::uuid[], %(days)s::date[]) as day(budget_id, starts_on)
join usage_budget b on b.id = day.budget_id
cross join lateral ({_SUM}) total
order by b.id, day.starts_on
for key share of b
on conflict (budget_id, starts_on) do nothing
"""  # noqa: S608

_LOCK = """
select id from usage_spending where budget_id = %(budget)s and starts_on = %(day)s for no key update
"""

_RECOUNT = f"""
update usage_spending day set spent = ({_SUM})
from usage_budget b
where day.budget_id = %(budget)s and day.starts_on = %(day)s and b.id = day.budget_id
"""  # noqa: S608
