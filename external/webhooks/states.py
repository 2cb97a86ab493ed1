"""What becomes of a webhook: activated, disabled; and of what was still to be delivered to it."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from django.db import transaction

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import SYSTEM
from chatcore.realtime.catalogue import EventBody
from chatcore.realtime.log import Announcement, announce
from external.models import Delivery, Webhook
from external.webhooks import events


@transaction.atomic
def activate(webhook_id: uuid.UUID, url: str, now: datetime) -> bool:
    """Its address has answered. Only if it still is that address, and it still waits; returns whether it was so."""
    fields = {"activated_at": now, "failures": 0, "failing_since": None, "held_until": None}
    waiting = Webhook.objects.filter(id=webhook_id, status=Webhook.Status.PENDING, url=url)
    if not waiting.update(status=Webhook.Status.ACTIVE, challenge_error="", **fields):
        return False
    webhook = Webhook.objects.without_secrets().get(id=webhook_id)
    _announce(webhook, events.WebhookActivated(webhook=webhook.id, host=host_of(webhook.url)))
    return True


def disable(webhook: Webhook, reason: Webhook.Reason, now: datetime, actor: str = SYSTEM) -> None:
    """In a transaction that has the webhook locked. What was still to be delivered is dead until somebody asks for
    it again.
    """
    webhook.status, webhook.reason, webhook.disabled_at = Webhook.Status.DISABLED, reason, now
    webhook.save(update_fields=["status", "reason", "disabled_at"])
    bury(webhook.id, now)
    body = events.WebhookDisabled(webhook=webhook.id, host=host_of(webhook.url), reason=reason.value)
    _announce(webhook, body, actor)


def bury(webhook_id: uuid.UUID, now: datetime) -> None:
    """Of those that are being sent, their senders tell."""
    waiting = Delivery.objects.filter(webhook=webhook_id, status=Delivery.Status.PENDING)
    waiting.update(status=Delivery.Status.DEAD, ended_at=now)


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def _announce(webhook: Webhook, body: EventBody, actor: str = SYSTEM) -> None:
    audience = tuple(_those_who_manage(webhook.workspace_id))
    announce(
        Announcement(
            body=body, workspace=webhook.workspace_id, conversation=None, actor=actor, audience=audience
        )
    )


def _those_who_manage(workspace_id: uuid.UUID) -> Iterable[uuid.UUID]:
    roles = [Membership.Role.OWNER, Membership.Role.ADMIN]
    return Membership.objects.filter(
        workspace=workspace_id, role__in=roles, user__is_active=True
    ).values_list("user_id", flat=True)
