"""How integrations prove who they are without a key of ours: authenticators, and what they must remember."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import GreaterThan
from django.utils import timezone

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7
from chatcore.security.fields import EncryptedTextField

SWEPT = 10


class AuthenticatorQuerySet(models.QuerySet[Any]):
    def for_principal(self, principal: Principal) -> "AuthenticatorQuerySet":
        return self.filter(integration__workspace=principal.workspace)

    def described(self) -> "AuthenticatorQuerySet":
        """Without their secrets, which may not be readable; `has_secret` says whether there is one."""
        mark: dict[str, Any] = {"has_secret": GreaterThan(Length("secret"), 0)}
        found: AuthenticatorQuerySet = self.defer("secret").annotate(**mark)
        return found

    def usable(self) -> "AuthenticatorQuerySet":
        enabled = self.filter(enabled=True, integration__enabled=True)
        return enabled.select_related(
            "integration__workspace", "integration__acts_as", "integration__intake_policy"
        )


class Authenticator(models.Model):
    """One way in which an integration proves who it is: its requests name it in X-Authenticator.

    `kind` says how (external/authenticators/kinds.py), `options` what that kind needs to know.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="authenticators")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=50)
    options = models.JSONField(default=dict, blank=True)
    secret = EncryptedTextField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    objects: ClassVar[Any] = AuthenticatorQuerySet.as_manager()

    has_secret: bool  # only on rows read through `described`

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "name"], name="authenticator_name_unique")
        ]

    def __str__(self) -> str:
        return self.name

    def note_use(self) -> None:
        """Write last_used_at, once a minute at most, however many processes see it."""
        minute_ago = timezone.now() - timedelta(minutes=1)
        if self.last_used_at is None or self.last_used_at < minute_ago:
            stale = Q(last_used_at=None) | Q(last_used_at__lt=minute_ago)
            Authenticator.objects.filter(stale, pk=self.pk).update(last_used_at=Now())


class KeySet(models.Model):
    """The public keys of an identity provider (RFC 7517) as they were last fetched."""

    authenticator = models.OneToOneField(
        Authenticator, on_delete=models.CASCADE, primary_key=True, related_name="key_set"
    )
    keys = models.JSONField(default=list)
    fetched_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"keys of {self.authenticator_id}"


class UsedProof(models.Model):
    """A proof that is good once and has been used, kept as SHA-256 until it would not be good anyway."""

    authenticator = models.ForeignKey(
        Authenticator, on_delete=models.CASCADE, related_name="used_proofs", db_index=False
    )
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["authenticator", "digest"], name="used_proof_unique"),
        ]
        indexes = [models.Index(fields=["authenticator", "expires_at"], name="used_proof_expiry")]

    def __str__(self) -> str:
        return f"{self.digest[:8]} until {self.expires_at:%Y-%m-%d %H:%M}"

    @classmethod
    def is_first(cls, authenticator: Authenticator, digest: str, until: datetime) -> bool:
        """Remember it; of several that present it at once, one is first. Sweeps a few that have expired."""
        expired = cls.objects.filter(authenticator=authenticator, expires_at__lt=Now())
        cls.objects.filter(pk__in=expired.values("pk")[:SWEPT]).delete()
        with connection.cursor() as sql:
            sql.execute(
                "insert into external_usedproof (authenticator_id, digest, expires_at) values (%s, %s, %s) "
                "on conflict do nothing",
                [authenticator.pk, digest, until],
            )
            return bool(sql.rowcount)
