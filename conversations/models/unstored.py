"""What is known of a reply that is not kept, while it is made."""

from django.db import models

from chatcore.accounts.models import Integration
from chatcore.ids import uuid7


class UnstoredReply(models.Model):
    """A reply under way that will be in no conversation. Past `expires_at` its process is taken for lost."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, null=True, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "unstored replies"

    def __str__(self) -> str:
        return f"unstored {self.id}"
