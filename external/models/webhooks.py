"""Tables of the webhooks: subscriptions, what is to be delivered to them, each attempt, and how far the log is read."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration, Workspace
from chatcore.ids import uuid7
from chatcore.security.fields import EncryptedTextField
from external.webhooks.querysets import DeliveryQuerySet, WebhookQuerySet


class Webhook(models.Model):
    """An address that is told what happens in a workspace.

    `pending` until its address has answered a signed challenge, then `active`; `disabled` by a person, by the
    receiver (410), or after five days of nothing but failures. `failures` counts those since the last success;
    from the fifth on nothing is sent before `held_until`, and then one at a time.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        ACTIVE = "active"
        DISABLED = "disabled"

    class Payload(models.TextChoices):
        FULL = "full"
        THIN = "thin"

    class Reason(models.TextChoices):
        """Why it is disabled."""

        PERSON = "person", "by a person"
        GONE = "gone", "its address answered 410"
        FAILING = "failing", "nothing but failures for five days"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="webhooks")
    integration = models.ForeignKey(
        Integration,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="webhooks",
        help_text="Whose it is: that integration alone confirms what is delivered by it.",
    )
    url = models.CharField(max_length=2_000)
    description = models.CharField(max_length=200, blank=True)
    types = ArrayField(models.CharField(max_length=60), help_text="Names of events; * stands for any part.")
    filter = models.JSONField(null=True, blank=True, help_text="A condition in the language of filters.")
    payload = models.CharField(max_length=4, choices=Payload.choices, default=Payload.FULL)
    ordered = models.BooleanField(
        default=False, help_text="The next is not sent before the one before it is delivered or given up."
    )
    version = models.PositiveSmallIntegerField(default=1, help_text="Of the form of what is sent.")
    secret = EncryptedTextField()
    previous_secret = EncryptedTextField(blank=True, default="")
    rotated_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=10, choices=Reason.choices, blank=True)
    challenge_error = models.CharField(max_length=200, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True, help_text="It hears what happens after that.")
    disabled_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[WebhookQuerySet] = WebhookQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["pending", "active", "disabled"]), name="webhook_status_known"
            ),
            models.CheckConstraint(condition=Q(payload__in=["full", "thin"]), name="webhook_payload_known"),
            models.CheckConstraint(
                condition=~Q(status="active") | Q(activated_at__isnull=False), name="webhook_active_since"
            ),
        ]
        indexes = [models.Index(fields=["workspace"], name="webhook_active", condition=Q(status="active"))]

    def __str__(self) -> str:
        return self.url

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE


class Delivery(models.Model):
    """One event to be told to one webhook. Its id and the bytes of its body stay the same however often it is sent.

    `pending → sending → delivered`, or back to `pending` after a failure, or `dead` when its attempts are used up or
    its webhook is disabled. `due_at` is when it may be sent; while it is being sent, when its sender counts as lost.
    `attempts` is the fence: what a late sender reports under an older number changes nothing.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        DELIVERED = "delivered"
        DEAD = "dead"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    event = models.BigIntegerField(help_text="The id of the event.")
    event_type = models.CharField(max_length=60)
    conversation = models.UUIDField(null=True, blank=True)
    message = models.UUIDField(null=True, blank=True)
    number = models.BigIntegerField(help_text="Its place in the order of all deliveries.")
    hops = models.PositiveSmallIntegerField(default=1)
    body = models.TextField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0, help_text="Attempts since it was last asked for.")
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects: ClassVar[DeliveryQuerySet] = DeliveryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "sending", "delivered", "dead"]),
                name="delivery_status_known",
            ),
        ]
        indexes = [
            models.Index(fields=["webhook", "id"], name="delivery_log"),
            models.Index(
                fields=["webhook", "due_at"],
                name="delivery_due",
                condition=Q(status__in=["pending", "sending"]),
            ),
            models.Index(
                fields=["webhook", "number"],
                name="delivery_open",
                condition=Q(status__in=["pending", "sending"]),
            ),
            models.Index(fields=["ended_at"], name="delivery_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.id}"


class Attempt(models.Model):
    """One time it was sent. NULL is unknown: no answer came, or the sender was lost before it told."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log", db_index=False)
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="Of the HTTP answer.")
    code = models.CharField(max_length=40, blank=True, help_text="Why there is no answer.")
    answer = models.TextField(blank=True, help_text="Its first 4 KiB.")
    next_at = models.DateTimeField(null=True, help_text="When it was to be sent again.")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_unique")]

    def __str__(self) -> str:
        return f"{self.number}: {self.status or self.code}"


class Dispatch(models.Model):
    """The one row that says how far the event log was turned into deliveries; whoever locks it goes on with it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    cluster = models.CharField(max_length=20, help_text="In whose transaction ids it counts.")
    xid = models.BigIntegerField()
    event = models.BigIntegerField()
    number = models.BigIntegerField(default=0, help_text="Of the newest delivery.")
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="dispatch_single")]

    def __str__(self) -> str:
        return f"{self.xid}, {self.event}"

    def set_place(self, **fields: Any) -> None:
        """Write these fields."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=list(fields))
