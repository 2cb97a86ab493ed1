"""Tables of what was used and what may be: the ledger, and budgets with what they have spent."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from chatcore.accounts.models import Integration, Membership, Workspace
from chatcore.ids import uuid7
from chatcore.llm.models import Deployment, Model
from chatcore.usage import periods
from chatcore.usage.querysets import BudgetQuerySet, UsageQuerySet
from chatcore.usage.totals import AMOUNT, DailyUsage, UsageDay

__all__ = ["Budget", "DailyUsage", "Reservation", "Spending", "Usage", "UsageDay"]


class Usage(models.Model):
    """One call of a model, written when it ended. NULL is unknown, which is not zero.

    `message` and `attempt` are the reply and the claim it was made under, unique together: a worker that lost its
    claim writes no row. Names are kept for when what they name is deleted.
    """

    class Outcome(models.TextChoices):
        DONE = "done"
        STOPPED = "stopped"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    agent_run = models.UUIDField(null=True)
    conversation = models.UUIDField(null=True)
    message = models.UUIDField(null=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    purpose = models.CharField(max_length=20, help_text="reply, title, …")
    model = models.ForeignKey(Model, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    model_name = models.CharField(max_length=150)
    deployment = models.ForeignKey(
        Deployment, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    deployment_name = models.CharField(max_length=320, blank=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True, help_text="Part of the input.")
    cache_write_tokens = models.PositiveIntegerField(
        null=True, help_text="Part of the input: written into a cache."
    )
    reasoning_tokens = models.PositiveIntegerField(null=True, help_text="Part of the output.")
    estimated = models.BooleanField(default=False, help_text="Not the provider's counts but our estimate.")
    prices = models.JSONField(null=True, help_text="Per million tokens, as they were then.")
    cost = models.DecimalField(null=True, **AMOUNT)
    currency = models.CharField(max_length=3, blank=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    total_ms = models.PositiveIntegerField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    code = models.CharField(max_length=40, blank=True, help_text="Why it failed.")
    unknown_attempts = models.PositiveSmallIntegerField(
        default=0,
        help_text="Deployments that failed and workers that were lost before; nobody knows what those consumed.",
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UsageQuerySet] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "usage"
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["done", "stopped", "failed"]), name="usage_outcome_known"
            ),
            models.CheckConstraint(condition=Q(cost=None) | ~Q(currency=""), name="usage_cost_has_currency"),
            models.UniqueConstraint(
                fields=["message", "attempt"], name="usage_once", condition=Q(message__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "created_at", "id"], name="usage_of_workspace"),
            models.Index(fields=["workspace", "user", "created_at", "id"], name="usage_of_user"),
            models.Index(fields=["created_at"], name="usage_by_time"),
            # What is deleted leaves its rows: finding them must not read the whole ledger.
            models.Index(fields=["user"], name="usage_by_user", condition=Q(user__isnull=False)),
            models.Index(
                fields=["integration"], name="usage_by_integration", condition=Q(integration__isnull=False)
            ),
            models.Index(fields=["model"], name="usage_by_model", condition=Q(model__isnull=False)),
            models.Index(
                fields=["deployment"], name="usage_by_deployment", condition=Q(deployment__isnull=False)
            ),
            models.Index(
                fields=["conversation"], name="usage_of_talk", condition=Q(conversation__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} by {self.model_name}: {self.outcome}"


class Budget(models.Model):
    """How much of one unit may be used in one period: by a workspace, or only by a user, an integration, a model.

    What is named narrows it: a user and a model together limit that user's use of that model. A user's budget also
    covers what integrations do in that user's name. Money without a known price passes unless the budget is strict.
    Staff's and the workspace's own may cover the same; each must have room.
    """

    class Unit(models.TextChoices):
        REQUESTS = "requests"
        TOKENS = "tokens"
        MONEY = "money"

    class Period(models.TextChoices):
        """In UTC."""

        DAY = "day"
        MONTH = "month"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="budgets")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    model = models.ForeignKey(Model, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    unit = models.CharField(max_length=10, choices=Unit.choices)
    period = models.CharField(max_length=10, choices=Period.choices)
    limit = models.DecimalField(**AMOUNT)
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator(r"\A[A-Z]{3}\Z", "Three capital letters, for example USD.")],
        help_text="Of money budgets. What costs another one is not counted.",
    )
    strict = models.BooleanField(
        default=False, help_text="A money budget refuses models whose price is unknown."
    )
    enabled = models.BooleanField(default=True)
    set_by_staff = models.BooleanField(
        default=False,
        db_default=False,
        help_text="The workspace's owners see it, and cannot change or remove it.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    spent_now: Decimal  # where `with_spent` read it

    objects: ClassVar[BudgetQuerySet] = BudgetQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "workspace",
                    "user",
                    "integration",
                    "model",
                    "unit",
                    "period",
                    "currency",
                    "set_by_staff",
                ],
                name="budget_unique",
                nulls_distinct=False,
                violation_error_message="There is such a budget already. Change its limit instead.",
            ),
            models.CheckConstraint(condition=Q(limit__gt=0), name="budget_limit_positive"),
            models.CheckConstraint(
                condition=Q(user=None) | Q(integration=None),
                name="budget_of_one",
                violation_error_message="A budget is a user's or an integration's, not both.",
            ),
            models.CheckConstraint(
                condition=Q(unit__in=["requests", "tokens", "money"]), name="budget_unit_known"
            ),
            models.CheckConstraint(condition=Q(period__in=["day", "month"]), name="budget_period_known"),
        ]

    def __str__(self) -> str:
        return f"{self.limit_words} a {self.period}"

    def clean(self) -> None:
        """Whether everything it names belongs to its workspace, and its limit is one of its unit."""
        problems = {}
        if self.user_id and not Membership.objects.filter(user=self.user_id, workspace=self.workspace_id):
            problems["user"] = "This user is not a member of the workspace."
        if self.integration and self.integration.workspace_id != self.workspace_id:
            problems["integration"] = "This integration belongs to another workspace."
        if self.model and self.model.workspace_id not in (None, self.workspace_id):
            problems["model"] = "This model belongs to another workspace."
        if self.limit is not None and self.limit <= 0:
            problems["limit"] = "The limit must be more than nothing."
        elif (
            self.limit is not None
            and self.unit != self.Unit.MONEY
            and self.limit != self.limit.to_integral_value()
        ):
            problems["limit"] = "Requests and tokens are whole numbers."
        if problems:
            raise ValidationError(problems)

    @property
    def limit_words(self) -> str:
        return self.amount_words(self.limit)

    def amount_words(self, amount: Decimal) -> str:
        """“5.00 USD”, “1,000 requests”."""
        if self.unit == self.Unit.MONEY:
            return f"{amount:,.2f} {self.currency}"
        return f"{amount:,.0f} {self.unit if amount != 1 else self.unit[:-1]}"


class Spending(models.Model):
    """What one budget has spent in one period, and what running replies may still spend of it.

    Rows are locked in the order of (budget, starts_on), after every other row of a transaction.
    """

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="spendings", db_index=False)
    starts_on = models.DateField(help_text="The first day (UTC).")
    spent = models.DecimalField(default=0, **AMOUNT)
    reserved = models.DecimalField(default=0, **AMOUNT)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "starts_on"], name="spending_unique"),
            models.CheckConstraint(condition=Q(spent__gte=0, reserved__gte=0), name="spending_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.budget}: {self.spent:f} since {self.starts_on}"

    @property
    def resets_at(self) -> datetime:
        return periods.midnight(periods.end_of(self.budget.period, self.starts_on))


class Reservation(models.Model):
    """What a queued or running reply is expected to take from a budget; gone when it ends."""

    spending = models.ForeignKey(Spending, on_delete=models.CASCADE, related_name="reservations")
    message = models.UUIDField(db_index=True, help_text="The reply.")
    amount = models.DecimalField(**AMOUNT)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.amount:f} for {self.message}"
