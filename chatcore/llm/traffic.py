"""Tables of what goes on at the deployments: their breakers, the requests under way, and those that wait."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from chatcore.ids import uuid7


class DeploymentHealth(models.Model):
    """A deployment's circuit breaker and its speed, as all workers see them. No row: nothing ever happened.

    `closed → open → half-open → closed | open`. Closed has no `open_until`; when that time is over the breaker is
    half-open, and `probe` is the one request that may try (see breakers.py). `opened_at` stays when it closes.
    """

    deployment = models.OneToOneField(
        "llm.Deployment", on_delete=models.CASCADE, primary_key=True, related_name="health"
    )
    failures = models.PositiveIntegerField(default=0, db_default=0, help_text="In a row.")
    openings = models.PositiveIntegerField(
        default=0, db_default=0, help_text="In a row; each doubles the wait."
    )
    code = models.CharField(max_length=30, blank=True, db_default="", help_text="Of the last failure.")
    detail = models.TextField(blank=True, db_default="")
    failed_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    open_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(
        null=True, blank=True, help_text="Not even a request that nobody else can answer tries earlier."
    )
    probe = models.UUIDField(null=True, blank=True)
    probing_until = models.DateTimeField(null=True, blank=True)
    latencies = ArrayField(
        models.FloatField(),
        default=list,
        db_default=[],
        help_text="Seconds to the first token, newest first.",
    )

    class Meta:
        verbose_name_plural = "deployment health"

    def __str__(self) -> str:
        return f"health of {self.deployment}"


class Call(models.Model):
    """A request at a deployment whose requests are counted. It runs until `expires_at`, which its worker moves on.

    Ended ones stay for the minute that `rpm` and `tpm` look back on.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    deployment = models.ForeignKey(
        "llm.Deployment", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    started_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    tokens = models.PositiveIntegerField(
        help_text="Estimated; as the provider counted them when it has ended."
    )

    class Meta:
        indexes = [models.Index(fields=["deployment", "started_at"], name="call_of_deployment")]

    def __str__(self) -> str:
        return f"call {self.id}"


class Waiter(models.Model):
    """A request that waits for a place at any of its deployments; the lowest id is served first."""

    deployments = ArrayField(models.UUIDField(), help_text="The one it likes best comes first.")
    tokens = models.PositiveIntegerField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"waiter {self.pk}"
