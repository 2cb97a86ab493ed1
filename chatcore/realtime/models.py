"""The event log: one durable row for each thing that happened."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from chatcore.realtime.fields import CurrentTransaction, Xid8Field


class Event(models.Model):
    """What happened, written in the transaction of the change it tells of.

    The order is `(xid, id)`, readable below the horizon (see cursors.py). `audience` names the users who could
    see the thing when it happened. There are no foreign keys: an event outlives what it tells of.
    """

    id = models.BigAutoField(primary_key=True)
    xid = Xid8Field(db_default=CurrentTransaction(), editable=False)
    workspace_id = models.UUIDField()
    conversation_id = models.UUIDField(null=True, blank=True)
    type = models.CharField(max_length=60)
    version = models.PositiveSmallIntegerField(default=1)
    actor = models.CharField(max_length=60, help_text="user:<id>, integration:<id> or system")
    audience = ArrayField(models.UUIDField(), default=list)
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["xid", "id"], name="event_order"),
            models.Index(fields=["workspace_id", "xid", "id"], name="event_workspace_order"),
            models.Index(fields=["conversation_id", "xid", "id"], name="event_conversation_order"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
