"""Which reply answered which dialogue of an OpenAI client: the next request repeats the dialogue, and goes on there."""

from django.db import models

from chatcore.accounts.models import Workspace
from conversations.models import Message


class Completion(models.Model):
    """A stored chat completion. `digest` is of everything the client sent for it, see openai/dialogue.py."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    reply = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="+")
    asker = models.CharField(max_length=100, help_text="`user:<id>` or `integration:<id>`.")
    thread = models.CharField(max_length=200, blank=True, help_text="What the client calls the conversation.")
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "asker", "digest", "id"], name="completion_dialogue"),
            models.Index(
                fields=["workspace", "asker", "thread", "id"],
                name="completion_thread",
                condition=~models.Q(thread=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asker}: {self.reply_id}"
