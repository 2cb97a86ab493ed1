"""Messages that several models answer."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Workspace
from chatcore.ids import uuid7
from conversations.models.conversations import Conversation
from conversations.models.messages import Message
from conversations.querysets import ComparisonQuerySet


class Comparison(models.Model):
    """A message that several models answer side by side. It is open until one of the replies is chosen."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="comparisons")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="+")
    model_names = models.JSONField(help_text="Of the models compared, in the order of their replies.")
    chosen = models.ForeignKey(Message, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    chosen_by = models.CharField(max_length=100, blank=True, help_text="`user:<id>` or `integration:<id>`.")
    chosen_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = ComparisonQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(chosen__isnull=True, chosen_at__isnull=True, chosen_by="")
                | (Q(chosen__isnull=False, chosen_at__isnull=False) & ~Q(chosen_by="")),
                name="comparison_choice_is_whole",
            )
        ]
        indexes = [models.Index(fields=["workspace", "chosen_at", "id"], name="comparison_list")]

    def __str__(self) -> str:
        return " / ".join(self.model_names)
