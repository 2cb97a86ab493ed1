"""What an integration's messages are held to."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from chatcore.accounts.models import Integration

STRATEGIES = ("jwt", "explicit", "identity", "owner", "mapped", "guest")


def all_strategies() -> list[str]:
    """A function of its own, because migrations name it."""
    return list(STRATEGIES)


class IntakePolicy(models.Model):
    """How messages of one integration find their user, and how long their conversations live.

    An integration without a row has the defaults: every strategy, and conversations that never end by themselves.
    """

    integration = models.OneToOneField(
        Integration, on_delete=models.CASCADE, primary_key=True, related_name="intake_policy"
    )
    strategies = ArrayField(
        models.CharField(max_length=60),
        default=all_strategies,
        blank=True,
        help_text="Ways in which the user of a message may be found: jwt, explicit, identity, owner, mapped, guest, "
        "or a registered one.",
    )
    default_country = models.CharField(
        max_length=2, blank=True, help_text="Of telephone numbers without a country code: AT, DE, US …"
    )
    new_after_hours = models.PositiveIntegerField(
        null=True, blank=True, help_text="A conversation idle for so long is not continued: a new one begins."
    )
    close_word = models.CharField(
        max_length=40, blank=True, help_text="A message of this word alone ends its conversation, unanswered."
    )
    archive_after_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Idle conversations are archived for their readers."
    )
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Idle conversations are deleted for good, with all that is in them."
    )

    class Meta:
        verbose_name_plural = "intake policies"
        constraints = [
            models.CheckConstraint(
                condition=~Q(new_after_hours=0) & ~Q(archive_after_days=0) & ~Q(keep_days=0),
                name="intake_policy_no_zero",
            )
        ]

    def __str__(self) -> str:
        return f"intake of {self.integration}"
