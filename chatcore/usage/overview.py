"""What the usage page shows: figures, a chart of the days, shares, budgets, for the days that were chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from chatcore.accounts.principals import Principal
from chatcore.usage import counters
from chatcore.usage.charts import Chart, draw, share
from chatcore.usage.models import Budget, Spending
from chatcore.usage.querysets import sees_everybody
from chatcore.usage.summaries import By, Sums, summarise, total_of

Measure: TypeAlias = Literal["cost", "tokens", "calls"]
MEASURES: dict[str, object] = {"cost": _("Cost"), "tokens": _("Tokens"), "calls": _("Calls")}
SHARES: dict[str, object] = {"model": _("Models"), "user": _("People"), "integration": _("Integrations")}
SPANS: dict[str, object] = {
    "7": _("7 days"),
    "30": _("30 days"),
    "month": _("This month"),
    "before": _("Last month"),
}
LONGEST = 366  # days in one chart


@dataclass(frozen=True)
class Wish:
    """What the address asks for. `span` is one of SPANS, or empty for days of the reader's own choice."""

    begin: date
    end: date
    span: str
    by: By
    measure: Measure

    def link(self, **changes: str) -> str:
        """The query of the same page with something else chosen."""
        days = {"span": self.span} if self.span else {"from": str(self.begin), "to": str(self.end)}
        return "?" + urlencode({**days, "by": self.by, "measure": self.measure} | changes)


@dataclass(frozen=True)
class Share:
    """One line of the shares; `percent` of the largest."""

    sums: Sums
    percent: int


@dataclass(frozen=True)
class Standing:
    """A budget and where it stands now; percentages of its limit, never more than 100."""

    budget: Budget
    counter: Spending

    @property
    def spent_percent(self) -> int:
        return min(share(self.counter.spent, self.budget.limit), 100)

    @property
    def held_percent(self) -> int:
        return min(share(self.counter.spent + self.counter.reserved, self.budget.limit), 100)

    @property
    def spent_words(self) -> str:
        return self.budget.amount_words(self.counter.spent)

    @property
    def reserved_words(self) -> str:
        return self.budget.amount_words(self.counter.reserved) if self.counter.reserved else ""

    @property
    def is_spent(self) -> bool:
        return self.counter.spent >= self.budget.limit


def read_wish(query: dict[str, str], today: date | None = None) -> Wish:
    """What cannot be read is as if it was not there: an address that is cut off still leads to a page."""
    today = today or timezone.now().astimezone(UTC).date()
    begin, end = _day(query.get("from")), _day(query.get("to"))
    span = query.get("span", "")
    if begin is None or end is None or begin > end:
        span = span if span in SPANS else "30"
        begin, end = _span(span, today)
    else:
        span, begin = "", max(begin, end - timedelta(days=LONGEST - 1))
    by = query.get("by", "")
    measure = query.get("measure", "")
    return Wish(
        begin,
        end,
        span,
        by if by in SHARES else "model",  # type: ignore[arg-type]
        measure if measure in MEASURES else "tokens",  # type: ignore[arg-type]
    )


def days_of(wish: Wish, principal: Principal) -> list[Sums]:
    """Every day of the wish, also those on which nothing was used."""
    known = {row.key: row for row in summarise(principal, "day", wish.begin, wish.end)}
    count = (wish.end - wish.begin).days + 1
    dates = [str(wish.begin + timedelta(days=number)) for number in range(count)]
    return [known.get(day) or Sums(day, day) for day in dates]


def shares_of(wish: Wish, principal: Principal) -> list[Share]:
    rows = summarise(principal, wish.by, wish.begin, wish.end)
    currency = main_currency(rows)
    values = [value_of(row, wish.measure, currency) for row in rows]
    most = max(values, default=Decimal())
    ordered = sorted(zip(rows, values, strict=True), key=lambda pair: -pair[1])
    return [Share(row, share(value, most)) for row, value in ordered]


def chart_of(wish: Wish, days: Sequence[Sums]) -> Chart:
    currency = main_currency(days)
    values = [value_of(day, wish.measure, currency) for day in days]
    return draw(values, [f"{day.name}: {words_of(day, wish.measure, currency)}" for day in days])


def standings_of(principal: Principal) -> list[Standing]:
    budgets = list(Budget.objects.for_principal(principal))
    found = counters.current(budgets)
    return [Standing(budget, found[budget.pk]) for budget in budgets if budget.pk in found]


def notes_of(principal: Principal, total: Sums, standings: Sequence[Standing]) -> bool:
    """Whether money budgets let calls pass whose cost nobody knows."""
    open_ones = any(each.budget.unit == Budget.Unit.MONEY and not each.budget.strict for each in standings)
    return open_ones and bool(total.unknown_cost_calls) and sees_everybody(principal)


def main_currency(rows: Sequence[Sums]) -> str:
    """The one most was spent in; bars of several would not compare."""
    cost = total_of(rows).cost
    return max(cost, key=lambda currency: cost[currency], default="USD")


def value_of(row: Sums, measure: Measure, currency: str) -> Decimal:
    if measure == "cost":
        return row.cost.get(currency, Decimal())
    return Decimal(row.tokens if measure == "tokens" else row.calls)


def words_of(row: Sums, measure: Measure, currency: str) -> str:
    value = value_of(row, measure, currency)
    return money(value, currency) if measure == "cost" else f"{value:,.0f} {measure}"


def money(amount: Decimal, currency: str) -> str:
    """Small amounts keep four places: calls cost fractions of a cent."""
    places = 2 if amount >= 1 or not amount else 4
    return f"{amount:,.{places}f} {currency}"


def _span(span: str, today: date) -> tuple[date, date]:
    if span == "month":
        return today.replace(day=1), today
    if span == "before":
        last = today.replace(day=1) - timedelta(days=1)
        return last.replace(day=1), last
    return today - timedelta(days=int(span) - 1), today


def _day(text: str | None) -> date | None:
    try:
        found = parse_date(text or "")
    except ValueError:
        return None
    return found if found and 2000 <= found.year < 9000 else None
