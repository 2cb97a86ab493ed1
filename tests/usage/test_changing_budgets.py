"""Budgets as they are made and changed: which make sense, and who may."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from chatcore.accounts.integrations.amounts import keep_amounts
from chatcore.accounts.principals import Principal
from chatcore.errors import Forbidden, Invalid, NotFound
from chatcore.usage import periods
from chatcore.usage.actions import change_budget, remove_budget
from chatcore.usage.errors import BudgetExceeded, SetByStaff
from chatcore.usage.models import Budget
from tests.factories import make_key_principal, make_model, make_principal
from tests.usage.factories import make_budget, make_usage
from tests.usage.spending import ask, start, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def test_a_changed_limit_keeps_what_was_spent_and_another_unit_is_counted_anew(owner: Principal) -> None:
    make_usage(owner)
    budget = make_budget(owner, 5)
    ask(owner, start(owner))
    change_budget(owner, budget.id, limit=Decimal(7))
    assert state(budget) == (1, 1)

    change_budget(owner, budget.id, unit="tokens", limit=Decimal(10_000))
    ask(owner, start(owner))
    assert state(budget)[0] == 1_100


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"limit": Decimal(0)}, "more than nothing"),
        ({"limit": Decimal("1.5")}, "whole numbers"),
        ({"limit": Decimal("1e30")}, "digits"),
        ({"unit": "money", "currency": "dollars"}, "Three capital letters"),
        ({"user": "stranger"}, "not a member"),
        ({"model": "foreign"}, "another workspace"),
        ({"user": "self", "integration": "own"}, "not both"),
        ({"integration": "foreign"}, "another workspace"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(
    owner: Principal, fields: dict[str, Any], words: str
) -> None:
    stranger = make_principal()
    foreign = make_model()
    foreign.workspace = stranger.workspace
    foreign.save()
    named: dict[Any, Any] = {
        "stranger": stranger.user,
        "self": owner.user,
        "own": make_key_principal(owner).integration,
    }
    values = {
        name: (foreign if name == "model" else make_key_principal(stranger).integration)
        if value == "foreign"
        else named.get(value, value)
        for name, value in fields.items()
    }
    with pytest.raises(Invalid, match=words):
        make_budget(owner, **{"limit": 5} | values)


def test_the_same_budget_twice_is_refused(owner: Principal) -> None:
    make_budget(owner)
    with pytest.raises(Invalid, match="There is such a budget already"):
        make_budget(owner)


def test_only_owners_and_admins_change_budgets(owner: Principal) -> None:
    budget = make_budget(owner)
    member = make_principal(workspace=owner.workspace, role="member")
    with pytest.raises(Forbidden):
        remove_budget(member, budget.id)
    with pytest.raises(NotFound):
        remove_budget(make_principal(), budget.id)
    remove_budget(make_principal(workspace=owner.workspace, role="admin"), budget.id)
    assert not Budget.objects.exists()


def test_what_staff_set_stays_whatever_owners_do(owner: Principal) -> None:
    budget = make_budget(owner, 5, set_by_staff=True)
    with pytest.raises(SetByStaff):
        change_budget(owner, budget.id, limit=Decimal(500))
    with pytest.raises(SetByStaff):
        remove_budget(owner, budget.id)
    assert Budget.objects.get().limit == 5


def test_owners_may_be_stricter_beside_what_staff_set(owner: Principal) -> None:
    make_budget(owner, 5, set_by_staff=True)
    own = make_budget(owner, 1)
    ask(owner, start(owner))
    with pytest.raises(BudgetExceeded, match="budget of 1 request a month"):
        ask(owner, start(owner))
    remove_budget(owner, own.id)
    ask(owner, start(owner))


def test_an_integrations_own_limits_leave_alone_what_staff_set(owner: Principal) -> None:
    integration = make_key_principal(owner).integration
    assert integration
    make_budget(owner, 700, "tokens", integration=integration, period="day", set_by_staff=True)
    keep_amounts(integration, {"tokens_per_day": 900_000})
    assert sorted(Budget.objects.values_list("limit", flat=True)) == [700, 900_000]
    keep_amounts(integration, {})
    assert Budget.objects.get().limit == 700


def test_periods_begin_at_midnight_in_utc() -> None:
    moment = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert str(periods.start_of("month", moment)) == "2026-12-01"
    assert str(periods.end_of("month", periods.start_of("month", moment))) == "2027-01-01"
    assert str(periods.end_of("day", periods.start_of("day", moment))) == "2027-01-01"
    february = periods.start_of("month", datetime(2028, 2, 29, tzinfo=UTC))
    assert str(periods.end_of("month", february)) == "2028-03-01"
