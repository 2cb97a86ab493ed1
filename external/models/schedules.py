"""Messages that are posted by the clock, and what became of them."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration, Workspace
from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7

ALL_INTEGRATIONS = "integrations:manage"


class ScheduleQuerySet(models.QuerySet[Any]):
    def for_principal(self, principal: Principal) -> "ScheduleQuerySet":
        """The workspace's; to a key that does not look after integrations those of its own one."""
        rows = self.filter(workspace=principal.workspace)
        if principal.integration is None or principal.may(ALL_INTEGRATIONS):
            return rows
        return rows.filter(integration=principal.integration)


class Schedule(models.Model):
    """A message template and when it is posted: again and again by `cron` in a time zone, or once at an instant.

    `next_run_at` decides: whoever moves it on by a conditional UPDATE posts, in the same transaction. It is empty
    when nothing is to come: after the one instant, or while the schedule is switched off.
    """

    class Respond(models.TextChoices):
        DEFAULT = "default"
        NONE = "none"
        MODEL = "model"

    class Missed(models.TextChoices):
        """What becomes of times that passed while no worker ran: posted once for all of them, or left out."""

        ONCE = "once"
        SKIP = "skip"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="schedules")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="In whose name it is posted; empty: the user the integration acts as.",
    )
    name = models.CharField(max_length=100)
    content = models.TextField(help_text="{{date}}, {{time}}, {{weekday}}, {{name}} are filled in.")
    title = models.CharField(max_length=200, blank=True, help_text="Of the conversation it opens.")
    conversation = models.UUIDField(null=True, blank=True)
    thread = models.CharField(
        max_length=200, blank=True, help_text="The integration's own name of a conversation."
    )
    respond = models.CharField(max_length=10, choices=Respond.choices, default=Respond.DEFAULT)
    model_name = models.CharField(max_length=150, blank=True)
    cron = models.CharField(max_length=100, blank=True, help_text="Minute, hour, day, month, weekday.")
    time_zone = models.CharField(max_length=64, default="UTC")
    at = models.DateTimeField(null=True, blank=True)
    missed = models.CharField(max_length=10, choices=Missed.choices, default=Missed.ONCE)
    enabled = models.BooleanField(default=True)
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.CharField(max_length=100, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = ScheduleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(~Q(cron="") & Q(at__isnull=True)) | (Q(cron="") & Q(at__isnull=False)),
                name="schedule_cron_or_instant",
                violation_error_message="Give a cron expression or one instant, and not both.",
            ),
            models.CheckConstraint(
                condition=Q(conversation__isnull=True) | Q(thread=""),
                name="schedule_one_place",
                violation_error_message="Name a conversation or a thread, and not both.",
            ),
            models.CheckConstraint(
                condition=(Q(respond="model") & ~Q(model_name="")) | (~Q(respond="model") & Q(model_name="")),
                name="schedule_model_named",
                violation_error_message="Name a model if a model is to reply, and only then.",
            ),
            models.CheckConstraint(
                condition=Q(respond__in=["default", "none", "model"], missed__in=["once", "skip"]),
                name="schedule_choices",
            ),
            models.CheckConstraint(
                condition=Q(enabled=True) | Q(next_run_at__isnull=True), name="schedule_off_is_not_due"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "id"], name="schedule_list"),
            models.Index(fields=["next_run_at"], name="schedule_due", condition=Q(next_run_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name


class ScheduleRun(models.Model):
    """One time a schedule was due. `missed` counts the earlier times it stands for, up to a hundred."""

    class Outcome(models.TextChoices):
        POSTED = "posted"
        FAILED = "failed"
        SKIPPED = "skipped"

    id = models.BigAutoField(primary_key=True)
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="runs", db_index=False)
    due_at = models.DateTimeField()
    ran_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    missed = models.PositiveSmallIntegerField(default=0)
    conversation = models.UUIDField(null=True, blank=True)
    message = models.UUIDField(null=True, blank=True)
    reply = models.UUIDField(null=True, blank=True)
    code = models.CharField(max_length=60, blank=True, help_text="Why it failed.")
    detail = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="schedule_run_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["posted", "failed", "skipped"]), name="schedule_run_outcome"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.due_at:%Y-%m-%d %H:%M}"
