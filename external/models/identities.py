"""Handles of people in outside systems: telephone numbers, e-mail addresses, chat ids."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Workspace
from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7


class IdentityQuerySet(models.QuerySet[Any]):
    def for_principal(self, principal: Principal) -> "IdentityQuerySet":
        """Those of the principal's workspace: whoever may read identities at all reads every one."""
        return self.filter(workspace=principal.workspace)

    def verified(self) -> "IdentityQuerySet":
        return self.filter(verified_at__isnull=False)


class Identity(models.Model):
    """A handle on a channel, bound to a user. Its life: `claimed → verified`, and back when another user gets it.

    Any number of users may claim one; verified it is of one user alone, and only then messages from it are that
    user's. `value` is normalised: see external/identities/handles.py.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    channel = models.CharField(max_length=40, help_text="sms, phone, email, slack …")
    value = models.CharField(
        max_length=254, help_text="A telephone number as +43660…, an e-mail address, a chat id."
    )
    verified_at = models.DateTimeField(null=True, blank=True)
    verified_by = models.CharField(
        max_length=100, blank=True, help_text="`user:<id>` or `integration:<id>`: who vouches for it."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = IdentityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "channel", "value"],
                name="identity_verified_once",
                condition=Q(verified_at__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["workspace", "channel", "value", "user"], name="identity_claimed_once"
            ),
            models.CheckConstraint(
                condition=Q(verified_at__isnull=True, verified_by="")
                | (Q(verified_at__isnull=False) & ~Q(verified_by="")),
                name="identity_verified_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.value}"

    @property
    def is_verified(self) -> bool:
        return self.verified_at is not None
