"""Sources: where a vendor's messages come in, what came of them, and the replies that went back.

Messages are deleted by statements: the database itself removes what hangs on them here (migration 0004).
"""

import json
from collections.abc import Mapping

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration
from chatcore.ids import uuid7
from chatcore.security.fields import EncryptedTextField
from conversations.models import Message


class Source(models.Model):
    """An address at which one vendor's account posts; what comes in is written by its integration.

    `adapter` is a name of the registry. The secrets go in and never come out.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="sources")
    name = models.CharField(max_length=100)
    adapter = models.CharField(max_length=50)
    sealed = EncryptedTextField(blank=True, editable=False, help_text="Its secrets as JSON.")
    settings = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["integration", "name"], name="source_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """What is pasted at the vendor."""
        return f"{settings.PUBLIC_URL}/in/{self.adapter}/{self.id}/"

    @property
    def secrets(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.sealed) if self.sealed else {}
        return found

    @secrets.setter
    def secrets(self, values: Mapping[str, str]) -> None:
        given = {name: value for name, value in values.items() if value}
        self.sealed = json.dumps(given) if given else ""


class Arrival(models.Model):
    """A message that came through a source, and where replies to it go: in the adapter's own words."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="arrivals")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    address = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.message_id} by {self.source}"


class Rejection(models.Model):
    """A request that was not taken, or only in part, and why. Kept for thirty days; nothing is lost in silence.

    One that was not proven says so once an hour, without its body: anybody may send those.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="rejections", db_index=False)
    is_proven = models.BooleanField(default=True)
    code = models.CharField(max_length=50)
    detail = models.TextField()
    body = models.TextField(blank=True, help_text="Its first 64 KiB.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["source", "created_at"], name="rejection_of_source")]

    def __str__(self) -> str:
        return f"{self.code} at {self.source}"


class ReplyPart(models.Model):
    """One part of a reply on its way back: `queued → sent → delivered → read`, or `failed`.

    A worker takes one by `claimed_at`, which runs out; `attempts` is the fence. The vendor's id is how its
    confirmations find it. A worker that dies between the vendor's answer and the save sends it again.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        DELIVERED = "delivered"
        READ = "read"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="replies", db_index=False)
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    part = models.PositiveSmallIntegerField()
    text = models.TextField()
    address = models.JSONField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    vendor_id = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "part"], name="reply_part_unique"),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "sent", "delivered", "read", "failed"]),
                name="reply_part_status",
            ),
        ]
        indexes = [models.Index(fields=["source", "vendor_id"], name="reply_part_by_vendor_id")]

    def __str__(self) -> str:
        return f"{self.message_id} part {self.part + 1}: {self.status}"


class Fetch(models.Model):
    """A file a message names by its address, fetched after the message is stored: `waiting → done | failed`."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    url = models.TextField()
    name = models.CharField(max_length=255)
    position = models.PositiveSmallIntegerField(default=0, help_text="Its place among its message's files.")
    media_type = models.CharField(max_length=200, blank=True)
    authorization = EncryptedTextField(
        blank=True, editable=False, help_text="The header that opens it; forgotten when it is over."
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "fetches"
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["waiting", "done", "failed"]), name="fetch_status")
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
