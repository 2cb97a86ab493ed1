"""Daily totals: what is summed up equals the ledger, however often it is done, and today is never missing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.usage.models import DailyUsage, Usage, UsageDay
from chatcore.usage.rollup import rollup
from chatcore.usage.summaries import summarise, total_of
from tests.factories import make_key_principal, make_model, make_principal
from tests.usage.factories import make_usage

pytestmark = pytest.mark.django_db
NOW = timezone.now().astimezone(UTC)


def fill() -> Principal:
    """Twelve days of two workspaces, three askers, two models, two currencies, failures and unknown things."""
    owner = make_principal()
    askers = [owner, make_principal(workspace=owner.workspace), make_key_principal(owner)]
    model = make_model()
    for number in range(60):
        asker = askers[number % 3] if number % 10 else make_principal()
        make_usage(
            asker,
            created_at=NOW - timedelta(hours=5 * number),
            model=model if number % 2 else None,
            model_name="deep" if number % 2 else "plain",
            cost=None if number % 4 == 0 else Decimal("0.0000000001") * number,
            currency="USD" if number % 3 else "EUR",
            input_tokens=None if number % 7 == 0 else number,
            cache_write_tokens=number,
            outcome="failed" if number % 5 == 0 else "done",
        )
    return owner


def sums() -> tuple[object, ...]:
    whole = DailyUsage.objects.aggregate(
        *(
            Sum(name)
            for name in ("calls", "failures", "input_tokens", "output_tokens", "cache_write_tokens", "cost")
        ),
        Sum("unknown_cost_calls"),
    )
    return tuple(whole.values())


def ledger() -> tuple[object, ...]:
    rows = Usage.objects.all()
    whole = rows.aggregate(
        Sum("input_tokens"), Sum("output_tokens"), Sum("cache_write_tokens"), Sum("cost")
    ).values()
    failures = rows.filter(outcome="failed").count()
    return (rows.count(), failures, *whole, rows.filter(cost=None).count())


def test_the_totals_equal_the_ledger_before_and_after_summing_up_and_again() -> None:
    owner = fill()
    expected = ledger()
    before = summarise(owner, "day", None, None)
    assert sums() == expected

    assert rollup() > 0
    stored = UsageDay.objects.count()
    today = timezone.now().astimezone(UTC).date()
    assert not UsageDay.objects.filter(day__gte=today).exists(), "today is not over"
    assert sums() == expected
    assert summarise(owner, "day", None, None) == before

    rollup()
    assert sums() == expected
    assert UsageDay.objects.count() == stored


def test_today_is_in_it_at_once() -> None:
    owner = fill()
    rollup()
    calls = total_of(summarise(owner, "model", None, None)).calls
    make_usage(owner)
    assert total_of(summarise(owner, "model", None, None)).calls == calls + 1


def test_days_without_a_sum_are_read_from_the_ledger() -> None:
    owner = fill()
    rollup(today=NOW.date() - timedelta(days=5))
    assert UsageDay.objects.latest("day").day < NOW.date() - timedelta(days=5)
    assert sums() == ledger()
    assert (
        total_of(summarise(owner, "user", None, None)).calls
        == Usage.objects.filter(workspace=owner.workspace).count()
    )


def test_a_row_committed_after_its_day_was_summed_up_comes_in_with_the_next_time() -> None:
    owner = fill()
    rollup()
    make_usage(
        owner, created_at=datetime.combine(NOW.date(), datetime.min.time(), UTC) - timedelta(seconds=1)
    )
    rollup()
    assert sums() == ledger()


def test_nothing_to_sum_up_is_nothing() -> None:
    assert rollup() == 0
