"""Budgets at work: reserved with the reply, settled with the ledger's row, released with what came to nothing.

Every function runs in its caller's transaction and comes last in it: first the budgets are kept from being changed,
then counters are locked in their order, see counters.py.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from chatcore.llm.models import Model
from chatcore.llm.prices import Price
from chatcore.llm.types import Usage as Counts
from chatcore.rows import execute, insert
from chatcore.usage import periods
from chatcore.usage.counters import Amounts, Counter, add, charge, ensure
from chatcore.usage.errors import BudgetExceeded, PriceUnknown
from chatcore.usage.models import Budget, Reservation, Spending, Usage
from chatcore.usage.prices import price_of_model

EXPECTED_OUTPUT = 500  # tokens of a reply nobody knows yet


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


def reserve(*replies: Asked) -> bool:
    """Set aside what these replies are expected to take from every budget that covers them; whether any does.

    Raises BudgetExceeded where one has not enough left, PriceUnknown where a strict one cannot tell; then nothing
    is set aside, and the caller's transaction must not commit. Call it once in a transaction, for all its replies.
    """
    now = timezone.now()
    budgets: dict[uuid.UUID, Budget] = {}
    wanted: list[tuple[Counter, uuid.UUID, Decimal]] = []
    hold = cache(_held)  # many replies of one asker are looked up once
    for asked in replies:
        covering = hold(asked.workspace, asked.user, asked.integration, asked.model.pk)
        budgets |= {budget.pk: budget for budget in covering}
        wanted += [
            ((budget.pk, periods.start_of(budget.period, now)), asked.message, amount)
            for budget, amount in _expected(asked, covering)
        ]
    if not wanted:
        return False
    ensure(counter for counter, _, _ in wanted)
    sums: Amounts = defaultdict(Decimal)
    for counter, _, amount in wanted:
        sums[counter] += amount
    held = {counter: _set_aside(budgets[counter[0]], counter[1], sums[counter]) for counter in sorted(sums)}
    Reservation.objects.bulk_create(
        Reservation(spending_id=held[counter], message=message, amount=amount)
        for counter, message, amount in wanted
    )
    return True


def is_spent(
    workspace: uuid.UUID, user: uuid.UUID | None, integration: uuid.UUID | None, model: uuid.UUID
) -> bool:
    """Whether a budget that covers such a call has nothing left, or is strict and cannot tell what it takes: for calls
    nobody waits for, which are left out.
    """
    covering = list(Budget.objects.covering(workspace, user, integration, model))
    return _is_in_doubt(covering, model) or _is_any_spent(covering)


def may_stand_in(
    workspace: uuid.UUID, user: uuid.UUID | None, integration: uuid.UUID | None, model: uuid.UUID
) -> bool:
    """Whether the model may answer a reply that was asked of another: the budgets for it alone have something left, and
    no strict one is in doubt about its price. Those for every model were asked when the reply was.
    """
    covering = list(Budget.objects.covering(workspace, user, integration, model))
    return not _is_in_doubt(covering, model) and not _is_any_spent(
        [budget for budget in covering if budget.model_id]
    )


def _is_in_doubt(covering: Sequence[Budget], model: uuid.UUID) -> bool:
    """Whether a strict one cannot tell what a call of the model takes."""
    strict = {budget.currency for budget in covering if budget.strict and budget.unit == Budget.Unit.MONEY}
    return bool(strict) and strict != {_currency_of(model)}


def _is_any_spent(covering: Sequence[Budget]) -> bool:
    if not covering:
        return False
    now = timezone.now()
    counters = [(budget.pk, periods.start_of(budget.period, now)) for budget in covering]
    ensure(counters)
    found = Spending.objects.filter(budget__in=covering, spent__gte=F("budget__limit"))
    return bool({*found.values_list("budget", "starts_on")} & {*counters})


def _currency_of(model_id: uuid.UUID) -> str:
    """Of the model's price; empty where that is unknown."""
    model = Model.objects.filter(pk=model_id).first()
    price = price_of_model(model) if model else None
    return price.currency if price else ""


def release(messages: Iterable[uuid.UUID]) -> None:
    """Give back what was set aside for replies that were not made."""
    freed = take_back(messages)
    for counter in sorted(freed):
        add(counter, reserved=-freed[counter])


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


def settle(rows: Sequence[Usage], ended: Iterable[uuid.UUID]) -> None:
    """Write rows of the ledger, charge them to the budgets that cover them, give back what was set aside for the
    replies that have ended.

    The counters are there before the rows are: one that is made later counts the ledger, and the rows with it.
    """
    charged: Amounts = defaultdict(Decimal)
    for row in rows:
        for budget in _held(row.workspace_id, row.user_id, row.integration_id, row.model_id):
            if amount := charge(budget, row):
                charged[budget.pk, periods.start_of(budget.period, row.created_at)] += amount
    freed = take_back(ended)
    ensure(charged)
    insert(rows)
    for counter in sorted(charged.keys() | freed.keys()):
        add(counter, spent=charged.get(counter, Decimal()), reserved=-freed.get(counter, Decimal()))


def _held(
    workspace: uuid.UUID, user: uuid.UUID | None, integration: uuid.UUID | None, model: uuid.UUID | None
) -> list[Budget]:
    """The budgets that cover such a call, kept from being changed or removed until this transaction has ended."""
    asker = {"workspace": workspace, "user": user, "integration": integration, "model": model}
    held = [budget_id for (budget_id,) in execute(_HOLD, asker)]
    return list(Budget.objects.filter(pk__in=held).order_by("pk")) if held else []


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
        raise _exceeded(budget, counter.select_related("budget").get())
    counter_id: int = counter.values_list("pk", flat=True).get()
    return counter_id


def _exceeded(budget: Budget, counter: Spending) -> BudgetExceeded:
    resets_at: datetime = counter.resets_at
    whose = "Your" if budget.user_id else "This integration's" if budget.integration_id else "The workspace's"
    what = f" for {budget.model.label}" if budget.model else ""
    state = "is spent" if counter.spent >= budget.limit else "has not enough left for this"
    until = f"It starts anew on {resets_at.day} {resets_at:%B %Y at %H:%M} UTC"
    raised = "the staff of this server" if budget.set_by_staff else "an owner or admin"
    another = "Choose another model, or ask" if budget.model else "Until then, ask"
    return BudgetExceeded(
        f"{whose} budget of {budget}{what} {state}. {until}. {another} {raised} for more.",
        resets_at=resets_at,
    )


_HOLD = """
select id from usage_budget
where workspace_id = %(workspace)s and enabled
    and (user_id is null or user_id = %(user)s::uuid)
    and (integration_id is null or integration_id = %(integration)s::uuid)
    and (model_id is null or model_id = %(model)s::uuid)
order by id for key share
"""

_TAKE_BACK = """
with gone as (delete from usage_reservation where message = any(%(messages)s) returning spending_id, amount)
select s.budget_id, s.starts_on, gone.amount from gone join usage_spending s on s.id = gone.spending_id
"""
