"""Conversations that messages from outside opened."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration
from chatcore.ids import uuid7
from conversations.models import Conversation


class Thread(models.Model):
    """A conversation an integration opened for a user; its next messages of the same name go there while it is open.

    The empty name is that of messages which name neither a conversation nor a thread. `open → closed`: by the
    policy's close word, or because it was idle for too long. Whoever opens or closes one holds the advisory lock of
    its integration, user and name (external/threads.py).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="threads", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200, blank=True)
    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="intake_thread")
    opened_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "user", "name"],
                name="thread_one_open",
                condition=Q(closed_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["integration", "opened_at"], name="thread_of_integration")]

    def __str__(self) -> str:
        return self.name or f"thread {self.id}"
