"""The tree of messages, and what is known of a message besides: its summary and its receipts."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration, Workspace
from chatcore.ids import uuid7
from chatcore.llm.models import Model
from conversations.models.conversations import Conversation
from conversations.querysets import MessageQuerySet


class Message(models.Model):
    """One node of a conversation's tree.

    A plain message is `done` from the start. A reply is a message that a responder produces; its life is
    `queued → streaming → done | failed | stopped`. `attempt` is the fence: a claim raises it, and every later
    write names it, so a worker that comes late changes nothing.
    """

    class Author(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"
        AGENT = "agent"
        INTEGRATION = "integration"
        SYSTEM = "system"

    class Status(models.TextChoices):
        QUEUED = "queued"
        STREAMING = "streaming"
        DONE = "done"
        FAILED = "failed"
        STOPPED = "stopped"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # That of its conversation, which answers for it: a check of its own would lock the same row at every insert.
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children", db_index=False
    )
    author = models.CharField(max_length=12, choices=Author.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DONE)
    client_id = models.UUIDField(
        null=True, blank=True, help_text="Made by the sender: the same one is stored once."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    model = models.ForeignKey(
        Model, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    model_name = models.CharField(max_length=150, blank=True, help_text="Kept when the model is deleted.")
    model_label = models.CharField(max_length=150, blank=True)
    params = models.JSONField(
        default=dict, blank=True, help_text="Parameters of this reply, over its conversation's."
    )
    begun = models.TextField(
        blank=True, default="", db_default="", help_text="What each attempt begins with: it is continued."
    )
    attempt = models.PositiveSmallIntegerField(default=0)
    restarts = models.PositiveSmallIntegerField(
        default=0, help_text="How often a worker was lost while making it."
    )
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    finish_reason = models.CharField(max_length=40, blank=True)
    error = models.JSONField(null=True, blank=True, help_text="{code, detail, retryable} of a failed reply")
    usage = models.JSONField(
        null=True, blank=True, help_text="Tokens as the provider counted them; absent: unknown"
    )
    dropped = ArrayField(
        models.CharField(max_length=100),
        default=list,
        db_default=[],
        blank=True,
        help_text="Parameters its provider does not know: they were left out.",
    )
    tool_calls = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="What a reply wants to be called: [{id, name, arguments}]",
    )
    tool_call = models.CharField(
        max_length=200,
        default="",
        db_default="",
        blank=True,
        help_text="Of a tool's result: the id of its call.",
    )
    route = models.JSONField(
        default=list, blank=True, help_text="Deployments tried: [{deployment, provider, outcome, seconds}]"
    )
    comparison = models.ForeignKey(
        "Comparison", on_delete=models.SET_NULL, null=True, blank=True, related_name="replies", db_index=False
    )

    has_files: bool  # of a message that was read along a path

    objects: ClassVar[Any] = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "streaming", "done", "failed", "stopped"]),
                name="message_status",
            ),
            models.CheckConstraint(
                condition=Q(author__in=["user", "assistant", "agent", "integration", "system"]),
                name="message_author",
            ),
            models.CheckConstraint(
                condition=Q(status="done") | Q(author__in=["assistant", "agent"]),
                name="message_only_replies_run",
            ),
            models.CheckConstraint(condition=~Q(id=models.F("parent")), name="message_not_its_own_parent"),
            models.UniqueConstraint(
                fields=["conversation", "client_id"],
                name="message_client_id",
                condition=Q(client_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["parent", "id"], name="message_children"),
            models.Index(fields=["conversation", "id"], name="message_in_conversation"),
            models.Index(
                fields=["conversation", "id"], name="message_roots", condition=Q(parent__isnull=True)
            ),
            models.Index(fields=["id"], name="message_queued", condition=Q(status="queued")),
            models.Index(fields=["id"], name="message_streaming", condition=Q(status="streaming")),
            models.Index(
                fields=["comparison", "id"], name="message_compared", condition=Q(comparison__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} {self.id}"

    @property
    def is_reply(self) -> bool:
        return self.author in (self.Author.ASSISTANT, self.Author.AGENT)

    @property
    def broke_off(self) -> bool:
        """Whether it ended before it was complete."""
        ended = self.status in (self.Status.FAILED, self.Status.STOPPED)
        return ended or (self.status == self.Status.DONE and self.finish_reason == "length")

    @property
    def can_continue(self) -> bool:
        return self.is_reply and self.broke_off and bool(self.text.strip())

    @property
    def is_running(self) -> bool:
        return self.status in (self.Status.QUEUED, self.Status.STREAMING)


class Summary(models.Model):
    """What was said from a branch's beginning up to and with the message, in short, for models that cannot read all."""

    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="summary")
    text = models.TextField()
    model_name = models.CharField(max_length=150, help_text="Who wrote it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "summaries"

    def __str__(self) -> str:
        return f"up to {self.message_id}"


class Receipt(models.Model):
    """How far a message has come with one recipient: `user:<id>`, `integration:<id>`, or a channel's own name."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="receipts", db_index=False)
    recipient = models.CharField(max_length=100)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "recipient"], name="receipt_unique")]

    def __str__(self) -> str:
        return f"{self.recipient}: {self.state}"

    @property
    def state(self) -> str:
        return "read" if self.read_at else "delivered"
