"""Reads of webhooks and their deliveries."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from chatcore.accounts.principals import Principal

if TYPE_CHECKING:
    from external.models.webhooks import Delivery, Webhook  # noqa: F401 (named in annotations only)

_SECRETS = ("secret", "previous_secret")


class WebhookQuerySet(QuerySet["Webhook"]):
    def for_principal(self, principal: Principal) -> "WebhookQuerySet":
        """All of the workspace: what a webhook tells is not one person's. Secrets are read when they are needed."""
        return self.filter(workspace=principal.workspace).without_secrets()

    def without_secrets(self) -> "WebhookQuerySet":
        return self.defer(*_SECRETS)

    def active(self) -> "WebhookQuerySet":
        """Those that are told what happens: not those of an integration that is disabled."""
        return self.filter(Q(integration=None) | Q(integration__enabled=True), status="active")


class DeliveryQuerySet(QuerySet["Delivery"]):
    def for_principal(self, principal: Principal) -> "DeliveryQuerySet":
        found = self.filter(webhook__workspace=principal.workspace).select_related("webhook")
        return found.defer(*(f"webhook__{name}" for name in _SECRETS))

    def between(self, begin: datetime | None, end: datetime | None) -> "DeliveryQuerySet":
        """Made at `begin` or later, and before `end`; None leaves that side open."""
        found = self if begin is None else self.filter(created_at__gte=begin)
        return found if end is None else found.filter(created_at__lt=end)
