"""Budgets when many ask at the same time: who passes when only one may."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.http import HttpRequest

from chatcore.accounts.principals import Principal
from chatcore.llm.types import Usage as Counts
from chatcore.usage.actions import change_budget, remove_budget
from chatcore.usage.admin import BudgetAdmin
from chatcore.usage.errors import BudgetExceeded
from chatcore.usage.models import Budget, Reservation, Spending, Usage
from chatcore.usage.tasks import recount_current
from conversations.claims import claim_replies
from conversations.models import Message
from tests.factories import make_principal
from tests.usage.factories import make_budget, make_priced
from tests.usage.spending import ask, finish, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Each in a thread and a transaction of its own, all at once; what they raise is their result."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("unit", ["requests", "tokens", "money"])
def test_of_many_who_want_the_last_cent_at_once_exactly_one_gets_it(unit: str) -> None:
    owner, model = make_principal(), make_priced()
    limit = {"requests": 1, "tokens": 700, "money": "0.006"}[unit]
    budget = make_budget(owner, limit, unit)
    talks = [start(owner, model) for _ in range(8)]

    results = together([lambda talk=talk: ask(owner, talk) for talk in talks])  # type: ignore[misc]

    assert [type(each) for each in results if not isinstance(each, Message)] == [BudgetExceeded] * 7
    assert Message.objects.filter(author="assistant").count() == 1
    assert Reservation.objects.count() == 1
    assert Spending.objects.get(budget=budget).spent == 0


@pytest.mark.django_db(transaction=True)
def test_asking_ending_and_recounting_at_once_leave_counters_equal_to_the_ledger() -> None:
    owner, model = make_principal(), make_priced()
    other = make_principal(workspace=owner.workspace)
    fields: list[dict[str, Any]] = [{}, {"user": owner.user}, {"model": model}, {"period": "day"}]
    budgets = [
        make_budget(owner, 10**6, unit, **each) for unit in ("tokens", "money", "requests") for each in fields
    ]
    talks = [(who, start(who, model)) for who in (owner, other) for _ in range(6)]
    for who, talk in talks[:6]:
        ask(who, talk)
    Spending.objects.all().delete()  # made anew by whoever comes first
    claims = claim_replies(20)

    endings = [lambda claim=claim: finish(claim, Counts(1_000, 100), model) for claim in claims]  # type: ignore[misc]
    askings = [lambda who=who, talk=talk: ask(who, talk) for who, talk in talks[6:]]  # type: ignore[misc]
    results = together([*endings, *askings, recount_current])

    assert [each for each in results if isinstance(each, Exception)] == []
    assert Usage.objects.count() == 6
    for budget in budgets:
        counter = Spending.objects.get(budget=budget)
        mine = 6 if budget.user_id in (None, owner.user.id) else 0  # type: ignore[union-attr]
        each = {"tokens": 1_100, "requests": 1, "money": Decimal("0.003")}[budget.unit]
        assert counter.spent == mine * each
        held = sum(Reservation.objects.filter(spending=counter).values_list("amount", flat=True))
        assert counter.reserved == held


@pytest.mark.django_db(transaction=True)
def test_budgets_may_be_changed_while_everybody_asks() -> None:
    owner = make_principal()
    budgets = [make_budget(owner, 10**6, unit) for unit in Budget.Unit]
    doomed = Budget.objects.filter(pk=make_budget(owner, 10**6, period="day").pk)
    staff = BudgetAdmin(Budget, admin.site)
    talks = [start(owner) for _ in range(6)]
    askings = [lambda talk=talk: ask(owner, talk) for talk in talks]  # type: ignore[misc]
    changes = [
        lambda: change_budget(owner, budgets[0].id, currency="EUR"),
        lambda: change_budget(owner, budgets[1].id, limit=Decimal(5 * 10**6)),
        lambda: remove_budget(owner, budgets[2].id),
        lambda: staff.delete_queryset(HttpRequest(), doomed),
    ]

    results = together([*askings, *changes])

    assert [each for each in results if isinstance(each, Exception)] == []
    recount_current()
    for counter in Spending.objects.all():
        assert counter.spent == 0
        assert counter.reserved == sum(counter.reservations.values_list("amount", flat=True))
