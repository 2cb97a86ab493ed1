"""Reads of the ledger, the budgets and the daily totals. Who may see what is decided here."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Case, DateField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from chatcore.usage import periods

if TYPE_CHECKING:
    from chatcore.usage.models import Budget, DailyUsage, Usage  # noqa: F401 (named in annotations only)

SUPERVISORS = frozenset({Membership.Role.OWNER, Membership.Role.ADMIN})
SUMS = (
    "calls",
    "failures",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "unknown_token_calls",
    "cost",
    "unknown_cost_calls",
)
# What a summary may be by, and the columns that tell one row of it from another.
GROUPINGS = {
    "day": ("day",),
    "user": ("user_id",),
    "integration": ("integration_id",),
    "model": ("model_id", "model_name"),
}


def sees_everybody(principal: Principal) -> bool:
    """Owners and admins see their whole workspace, also through a key; everybody else sees what is their own."""
    return principal.role in SUPERVISORS


def _visible(principal: Principal) -> Q:
    if sees_everybody(principal):
        return Q(workspace=principal.workspace)
    if principal.user is not None:
        return Q(workspace=principal.workspace, user_id=principal.user.pk)
    if principal.integration is not None:
        return Q(workspace=principal.workspace, integration_id=principal.integration.pk)
    return Q(pk__in=[])


class UsageQuerySet(QuerySet["Usage"]):
    def for_principal(self, principal: Principal) -> "UsageQuerySet":
        return self.filter(_visible(principal))

    def between(self, begin: datetime | None, end: datetime | None) -> "UsageQuerySet":
        """From `begin` on and before `end`; None leaves that side open."""
        found = self if begin is None else self.filter(created_at__gte=begin)
        return found if end is None else found.filter(created_at__lt=end)


class BudgetQuerySet(QuerySet["Budget"]):
    def for_principal(self, principal: Principal) -> "BudgetQuerySet":
        """Owners and admins see all of the workspace, others those that limit them alone."""
        return self.filter(_visible(principal)).select_related("user", "integration", "model")

    def with_spent(self) -> Any:
        """Each with `spent_now`: of the period that runs. What was never asked about is not counted yet: 0."""
        now = timezone.now()
        begins = {period: periods.start_of(period, now) for period in ("day", "month")}
        begun = Case(
            *(When(period=name, then=Value(day)) for name, day in begins.items()), output_field=DateField()
        )
        counters = apps.get_model("usage", "Spending").objects.filter(budget=OuterRef("pk"))
        spent = Subquery(counters.filter(starts_on=OuterRef("begun")).values("spent")[:1])
        annotations: dict[str, Any] = {
            "spent_now": Coalesce(spent, Decimal())
        }  # Budget declares it for its readers
        return self.annotate(begun=begun).annotate(**annotations)

    def covering(
        self,
        workspace: uuid.UUID,
        user: uuid.UUID | None,
        integration: uuid.UUID | None,
        model: uuid.UUID | None,
    ) -> "BudgetQuerySet":
        """The enabled ones that a call of this model by this asker takes from."""
        return self.filter(
            Q(user=None) | Q(user=user),
            Q(integration=None) | Q(integration=integration),
            Q(model=None) | Q(model=model),
            workspace=workspace,
            enabled=True,
        )


class DailyQuerySet(QuerySet["DailyUsage"]):
    def for_principal(self, principal: Principal) -> "DailyQuerySet":
        return self.filter(_visible(principal))

    def between(self, begin: date | None, end: date | None) -> "DailyQuerySet":
        """Both days included; None leaves that side open."""
        found = self if begin is None else self.filter(day__gte=begin)
        return found if end is None else found.filter(day__lte=end)

    def summed(self, *columns: str) -> Iterable[dict[str, Any]]:
        """Sums by these columns and the currency, most calls first."""
        sums = {f"sum_{name}": Sum(name) for name in SUMS}
        rows = self.values(*columns, "currency").annotate(**sums).order_by("-sum_calls", *columns)
        for row in rows:
            yield {name.removeprefix("sum_"): value for name, value in row.items()}
