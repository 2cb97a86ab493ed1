"""Tables of daily totals, made from the ledger."""

import uuid
from datetime import date
from typing import Any, ClassVar

from django.db import models

from chatcore.accounts.models import Workspace
from chatcore.usage.querysets import DailyQuerySet

AMOUNT: Any = {"max_digits": 24, "decimal_places": 10}


class Totals(models.Model):
    """Sums over one day (UTC), one asker and one model. `cost` leaves out the calls whose cost is unknown."""

    day: "models.DateField[date, date]"
    user_id: "models.UUIDField[uuid.UUID | None, uuid.UUID | None]" = models.UUIDField(null=True)
    integration_id: "models.UUIDField[uuid.UUID | None, uuid.UUID | None]" = models.UUIDField(null=True)
    model_id: "models.UUIDField[uuid.UUID | None, uuid.UUID | None]" = models.UUIDField(null=True)
    model_name = models.CharField(max_length=150)
    currency = models.CharField(max_length=3, blank=True)
    calls = models.BigIntegerField()
    failures = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField(default=0, db_default=0)
    unknown_token_calls = models.BigIntegerField()
    cost = models.DecimalField(**AMOUNT)
    unknown_cost_calls = models.BigIntegerField()

    class Meta:
        abstract = True


class UsageDay(Totals):
    """The ledger of days that are over, summed up. Made from it by `rollup`, and made again as often as one likes."""

    day = models.DateField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "workspace",
                    "day",
                    "user_id",
                    "integration_id",
                    "model_id",
                    "model_name",
                    "currency",
                ],
                name="usage_day_unique",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["day"], name="usage_day_by_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.calls} calls of {self.model_name}"


class DailyUsage(Totals):
    """A view: the days that are summed up, and the ledger's rows of all later ones. Never stale."""

    day = models.DateField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.DO_NOTHING, related_name="+")

    objects: ClassVar[DailyQuerySet] = DailyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        managed = False
        db_table = "usage_daily"
