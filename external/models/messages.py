"""Where a message from outside came from."""

from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration
from conversations.models import Message


class IntakeMessage(models.Model):
    """The provenance of one message an integration put in. It goes when the message goes.

    `strategy` is how its user was found, `hops` how many systems it has passed, `external_id` the sender's own name
    for it: unique within the integration for as long as the message lives.
    """

    # The database itself removes it with the message (migration 0001): messages go by statements, not one by one.
    message = models.OneToOneField(
        Message, on_delete=models.CASCADE, primary_key=True, related_name="intake", db_constraint=False
    )
    # That of its message, which answers for it: a check of its own would lock the same row at every insert.
    integration = models.ForeignKey(
        Integration,
        on_delete=models.CASCADE,
        related_name="intake_messages",
        db_index=False,
        db_constraint=False,
    )
    key_id = models.UUIDField(null=True, blank=True, help_text="The key it was sent with; it may be gone.")
    source = models.CharField(max_length=60, help_text="The door: api, batch, an adapter's name, schedule.")
    strategy = models.CharField(max_length=60)
    external_id = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (null: none was given)
    thread = models.CharField(max_length=200, blank=True)
    hops = models.PositiveSmallIntegerField(default=0)
    metadata = models.JSONField(default=dict, blank=True)
    accepted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "external_id"],
                name="intake_external_id",
                condition=Q(external_id__isnull=False),
            )
        ]
        indexes = [models.Index(fields=["integration", "message"], name="intake_of_integration")]

    def __str__(self) -> str:
        return f"{self.source} {self.external_id or self.message_id}"
