"""Budgets at work: reserved with the reply, settled with the ledger's row, released with what came to nothing.

Every function runs in its caller's transaction and comes last in it: counters are locked after all other rows, and
among themselves in the order of (budget, starts_on), so that no two transactions wait for each other.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from chatcore.llm.models import Model
from chatcore.llm.types import Usage as Counts
from chatcore.usage import periods
from chatcore.usage.errors import BudgetExceeded, PriceUnknown
from chatcore.usage.models import Budget, Reservation, Spending, Usage
from chatcore.usage.prices import Price, price_of_model

EXPECTED_OUTPUT = 500  # tokens of a reply nobody knows yet

Counter = tuple[uuid.UUID, date]
Amounts = dict[Counter, Decimal]


@dataclass(frozen=True)
class Asked:
    """A reply that is about to be queued. `input_tokens` estimates what it will read, and is asked only if needed."""

    message: uuid.UUID
    workspace: uuid.UUID
    user: uuid.UUID | None
    integration: uuid.UUID | None
    model: Model
    input_tokens: Callable[[], int]
    params: Mapping[str, Any] = field(default_factory=dict)

    def counts(self) -> Counts:
        return Counts(self.input_tokens(), self._output_tokens(), estimated=True)

    def _output_tokens(self) -> int:
        wished = self.params.get("max_tokens")
        bounds = [wished, self.model.max_output]
        return min([EXPECTED_OUTPUT, *(each for each in bounds if isinstance(each, int) and each > 0)])


def reserve(*replies: Asked) -> None:
    """Set aside what these replies are expected to take from every budget that covers them.

    Raises BudgetExceeded where one has not enough left, PriceUnknown where a strict one cannot tell; then nothing
    is set aside, and the caller's transaction must not commit. Call it once in a transaction, for all its replies.
    """
    now = timezone.now()
    budgets: dict[uuid.UUID, Budget] = {}
    wanted: list[tuple[Counter, uuid.UUID, Decimal]] = []
    for asked in replies:
        covering = list(
            Budget.objects.covering(asked.workspace, asked.user, asked.integration, asked.model.pk)
        )
        budgets |= {budget.pk: budget for budget in covering}
        wanted += [
            ((budget.pk, periods.start_of(budget.period, now)), asked.message, amount)
            for budget, amount in _expected(asked, covering)
        ]
    if not wanted:
        return
    ensure(counter for counter, _, _ in wanted)
    sums: Amounts = defaultdict(Decimal)
    for counter, _, amount in wanted:
        sums[counter] += amount
    held = {counter: _set_aside(budgets[counter[0]], counter[1], sums[counter]) for counter in sorted(sums)}
    Reservation.objects.bulk_create(
        Reservation(spending_id=held[counter], message=message, amount=amount)
        for counter, message, amount in wanted
    )


def is_spent(
    workspace: uuid.UUID, user: uuid.UUID | None, integration: uuid.UUID | None, model: uuid.UUID
) -> bool:
    """Whether a budget that covers such a call has nothing left: for calls nobody waits for, which are left out."""
    covering = list(Budget.objects.covering(workspace, user, integration, model))
    if not covering:
        return False
    now = timezone.now()
    counters = [(budget.pk, periods.start_of(budget.period, now)) for budget in covering]
    ensure(counters)
    found = Spending.objects.filter(budget__in=covering, spent__gte=F("budget__limit"))
    return bool({*found.values_list("budget", "starts_on")} & {*counters})


def release(messages: Iterable[uuid.UUID]) -> None:
    """Give back what was set aside for replies that were not made."""
    freed = take_back(messages)
    for counter in sorted(freed):
        _add(counter, reserved=-freed[counter])


def take_back(messages: Iterable[uuid.UUID]) -> Amounts:
    """Delete the reservations of these replies; returns what has to be given back to which counters."""
    freed: Amounts = defaultdict(Decimal)
    chosen = list(messages)
    if not chosen:
        return freed
    with connection.cursor() as sql:
        sql.execute(_TAKE_BACK, {"messages": chosen})
        for budget_id, starts_on, amount in sql.fetchall():
            freed[budget_id, starts_on] += amount
    return freed


def settle(rows: Sequence[Usage], freed: Amounts) -> None:
    """Write rows of the ledger, charge them to the budgets that cover them, give back what was set aside.

    The counters are there before the rows are: one that is made later counts the ledger, and the rows with it.
    """
    charged: Amounts = defaultdict(Decimal)
    for row in rows:
        for budget in Budget.objects.covering(
            row.workspace_id, row.user_id, row.integration_id, row.model_id
        ):
            if amount := charge(budget, row):
                charged[budget.pk, periods.start_of(budget.period, row.created_at)] += amount
    ensure(charged)
    Usage.objects.bulk_create(rows)
    for counter in sorted(charged.keys() | freed.keys()):
        _add(counter, spent=charged.get(counter, Decimal()), reserved=-freed.get(counter, Decimal()))


def charge(budget: Budget, usage: Usage) -> Decimal:
    """What the call takes from the budget: the same as `_SUM` finds in the ledger. What is unknown takes nothing."""
    if budget.unit == Budget.Unit.REQUESTS:
        return Decimal(usage.purpose == "reply")
    if budget.unit == Budget.Unit.TOKENS:
        return Decimal((usage.input_tokens or 0) + (usage.output_tokens or 0))
    return usage.cost or Decimal() if usage.currency == budget.currency else Decimal()


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
    """By budget, the counter of the period that runs now."""
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


def _expected(asked: Asked, covering: list[Budget]) -> Iterable[tuple[Budget, Decimal]]:
    units = {budget.unit for budget in covering}
    counts = asked.counts() if units - {Budget.Unit.REQUESTS} else None
    price = price_of_model(asked.model) if Budget.Unit.MONEY in units else None
    for budget in covering:
        if budget.unit == Budget.Unit.REQUESTS or counts is None:
            yield budget, Decimal(1)
        elif budget.unit == Budget.Unit.TOKENS:
            yield budget, Decimal((counts.input_tokens or 0) + (counts.output_tokens or 0))
        elif cost := _expected_cost(budget, asked.model, price, counts):
            yield budget, cost


def _expected_cost(budget: Budget, model: Model, price: Price | None, counts: Counts) -> Decimal | None:
    """None: unknown. Such a call passes, as one that is free does, unless the budget is strict."""
    if price is not None and price.currency == budget.currency:
        return price.cost(counts)
    if budget.strict:
        raise PriceUnknown(
            f"A strict budget in {budget.currency} covers {model.label}, and its price is not known. "
            "Choose another model, or ask the staff to enter its price."
        )
    return None


def _set_aside(budget: Budget, starts_on: date, amount: Decimal) -> int:
    """The counter's id. One conditional statement decides, whoever asks at the same time."""
    counter = Spending.objects.filter(budget=budget, starts_on=starts_on)
    room = counter.filter(spent__lte=budget.limit - amount - F("reserved"))
    if not room.update(reserved=F("reserved") + amount):
        raise _exceeded(budget, counter.get())
    found: int = counter.values_list("pk", flat=True).get()
    return found


def _exceeded(budget: Budget, counter: Spending) -> BudgetExceeded:
    resets_at: datetime = counter.resets_at
    whose = "Your" if budget.user_id else "This integration's" if budget.integration_id else "The workspace's"
    what = f" for {budget.model.label}" if budget.model else ""
    state = "is spent" if counter.spent >= budget.limit else "has not enough left for this"
    return BudgetExceeded(
        f"{whose} budget of {budget}{what} {state}. It starts anew on {resets_at.day} {resets_at:%B %Y at %H:%M} UTC.",
        resets_at=resets_at,
    )


def _add(counter: Counter, *, spent: Decimal = Decimal(), reserved: Decimal = Decimal()) -> None:
    budget_id, starts_on = counter
    Spending.objects.filter(budget=budget_id, starts_on=starts_on).update(
        spent=F("spent") + spent, reserved=Greatest(F("reserved") + reserved, Decimal())
    )


_TAKE_BACK = """
with gone as (delete from usage_reservation where message = any(%(messages)s) returning spending_id, amount)
select s.budget_id, s.starts_on, gone.amount from gone join usage_spending s on s.id = gone.spending_id
"""

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
