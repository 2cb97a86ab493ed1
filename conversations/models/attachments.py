"""Files that go with messages."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration, Workspace
from chatcore.ids import uuid7
from conversations.querysets import AttachmentQuerySet


class Attachment(models.Model):
    """A file that goes with a message. It is uploaded first, and waits for its message at most a day.

    The bytes lie in the storage under `file`, those of a smaller picture under `preview` where it takes one. Rows of
    edited messages share them. `text` is what could be read from a document; `weight` is about how many bytes of text
    it adds to what a model reads.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    message = models.ForeignKey(
        "conversations.Message",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="attachments",
        db_index=False,
    )
    position = models.PositiveSmallIntegerField(default=0, help_text="Its place in its message.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    name = models.CharField(max_length=150)
    media_type = models.CharField(max_length=100, help_text="As its bytes say, whatever its sender said.")
    size = models.PositiveIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    file = models.CharField(max_length=200, help_text="Its name in the storage.")
    preview = models.CharField(max_length=200, blank=True, help_text="A smaller picture's; empty: itself.")
    width = models.PositiveIntegerField(null=True, blank=True, help_text="Pixels of an image.")
    height = models.PositiveIntegerField(null=True, blank=True, help_text="Pixels of an image.")
    text = models.TextField(blank=True)
    is_cut = models.BooleanField(default=False, help_text="The document has more text than was kept of it.")
    weight = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(size__gt=0), name="attachment_not_empty"),
            models.CheckConstraint(
                condition=Q(width__isnull=True, height__isnull=True) | Q(width__gt=0, height__gt=0),
                name="attachment_size_of_image",
            ),
        ]
        indexes = [
            models.Index(
                fields=["message", "position"],
                name="attachment_of_message",
                condition=Q(message__isnull=False),
            ),
            models.Index(fields=["created_at"], name="attachment_waiting", condition=Q(message__isnull=True)),
            models.Index(fields=["file"], name="attachment_file"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")
