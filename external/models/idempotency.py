"""Requests that were carried out under a key of the client's making."""

from django.db import models

from chatcore.accounts.models import Integration


class IdempotencyRecord(models.Model):
    """The answer to the first request with an Idempotency-Key, committed together with what that request did.

    The scope is the integration, whichever of its keys was used. `fingerprint` tells whether a repetition is one.
    """

    id = models.BigAutoField(primary_key=True)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="+", db_index=False)
    route = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(
        max_length=32, help_text="SHA-256 of method, route, body and acting user."
    )
    status = models.PositiveSmallIntegerField()
    body = models.TextField(help_text="The answer's JSON document, as it was sent.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "route", "key"], name="idempotency_key_unique")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
