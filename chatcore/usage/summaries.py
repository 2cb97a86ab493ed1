"""The daily totals by day, user, model or integration, with names people know."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias

from chatcore.accounts.models import Integration, User
from chatcore.accounts.principals import Principal
from chatcore.usage.models import DailyUsage
from chatcore.usage.querysets import GROUPINGS, SUMS

By: TypeAlias = Literal["day", "user", "model", "integration"]


@dataclass
class Sums:
    """`key` is a day or an id; None: nobody, or deleted. `cost` is by currency and leaves out what is unknown."""

    key: str | None
    name: str
    calls: int = 0
    failures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    unknown_token_calls: int = 0
    unknown_cost_calls: int = 0
    cost: dict[str, Decimal] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


COUNTS = tuple(name for name in SUMS if name != "cost")  # which is by currency


def summarise(principal: Principal, by: By, begin: date | None, end: date | None) -> list[Sums]:
    """What the principal may see of these days, both included. By day in their order, else most calls first."""
    columns = GROUPINGS[by]
    rows = list(DailyUsage.objects.for_principal(principal).between(begin, end).summed(*columns))
    names = _names(by, {row[columns[0]] for row in rows})
    found: dict[tuple[object, ...], Sums] = {}
    for row in rows:
        group = tuple(row[column] for column in columns)
        name = row["model_name"] if by == "model" else names.get(group[0], "")
        sums = found.setdefault(group, Sums(None if group[0] is None else str(group[0]), name))
        for count in COUNTS:
            setattr(sums, count, getattr(sums, count) + row[count])
        if row["currency"]:
            sums.cost[row["currency"]] = sums.cost.get(row["currency"], Decimal()) + row["cost"]
    ordered = sorted(found.values(), key=lambda sums: (-sums.calls, sums.name))
    return sorted(ordered, key=lambda sums: sums.key or "") if by == "day" else ordered


def total_of(rows: Iterable[Sums]) -> Sums:
    whole = Sums(None, "")
    for row in rows:
        for count in COUNTS:
            setattr(whole, count, getattr(whole, count) + getattr(row, count))
        for currency, cost in row.cost.items():
            whole.cost[currency] = whole.cost.get(currency, Decimal()) + cost
    return whole


def _names(by: By, keys: set[object]) -> dict[object, str]:
    ids = [key for key in keys if isinstance(key, uuid.UUID)]
    if by == "day":
        return {key: str(key) for key in keys}
    if by == "user":
        users = User.objects.filter(pk__in=ids)
        known: dict[object, str] = {user.pk: user.display_name for user in users}
        return dict.fromkeys(keys, "A deleted user") | {None: "Nobody"} | known
    if by == "integration":
        named = Integration.objects.filter(pk__in=ids).values_list("pk", "name")
        return dict.fromkeys(keys, "A deleted integration") | {None: "People, directly"} | dict(named)
    return {}
