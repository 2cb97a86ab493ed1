"""Conversations, and who reads them."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Workspace
from chatcore.ids import uuid7
from chatcore.llm.models import Model
from conversations.querysets import ConversationQuerySet, MemberQuerySet


class Conversation(models.Model):
    """A tree of messages, owned by one user. The active leaf names the branch the reader sees."""

    class TitleSource(models.TextChoices):
        """`draft`: cut from the first message; `generated`: by a model; `given`: by a person, never replaced."""

        DRAFT = "draft"
        GENERATED = "generated"
        GIVEN = "given"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="conversations")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations"
    )
    title = models.CharField(max_length=200, blank=True)
    title_source = models.CharField(max_length=10, choices=TitleSource.choices, default=TitleSource.DRAFT)
    model = models.ForeignKey(Model, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    system = models.TextField(blank=True, help_text="Instructions every reply follows.")
    params = models.JSONField(default=dict, blank=True)
    active_leaf = models.ForeignKey(
        "Message", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_message_at = models.DateTimeField()

    objects: ClassVar[Any] = ConversationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(title_source__in=["draft", "generated", "given"]),
                name="conversation_title_source",
            )
        ]

    def __str__(self) -> str:
        return self.title or "New chat"


class Member(models.Model):
    """A reader of a conversation, with what is per reader: the list reads from here alone."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="conversation_members",
        db_index=False,
    )
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    last_message_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)
    pinned = models.BooleanField(default=False)
    unread = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Messages of others not read yet."
    )
    read_up_to = models.UUIDField(null=True, blank=True, help_text="The newest message that was read.")

    objects: ClassVar[Any] = MemberQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "conversation"], name="member_unique")]
        indexes = [
            models.Index(
                "user",
                "workspace",
                models.F("last_message_at").desc(),
                models.F("conversation").desc(),
                name="member_open_list",
                condition=Q(archived_at__isnull=True),
            ),
            models.Index(
                "user",
                "workspace",
                models.F("last_message_at").desc(),
                models.F("conversation").desc(),
                name="member_archived_list",
                condition=Q(archived_at__isnull=False),
            ),
            models.Index(
                "user",
                "workspace",
                models.F("last_message_at").desc(),
                models.F("conversation").desc(),
                name="member_pinned_list",
                condition=Q(archived_at__isnull=True, pinned=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} reads {self.conversation}"
