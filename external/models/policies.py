"""What an integration's messages are held to."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from chatcore.accounts.models import Integration

STRATEGIES = ("jwt", "explicit", "identity", "owner", "mapped", "guest")


def all_strategies() -> list[str]:
    """A function of its own, because migrations name it."""
    return list(STRATEGIES)


class IntakePolicy(models.Model):
    """How messages of one integration find their user.

    An integration without a row has the defaults: every strategy.
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

    class Meta:
        verbose_name_plural = "intake policies"

    def __str__(self) -> str:
        return f"intake of {self.integration}"
