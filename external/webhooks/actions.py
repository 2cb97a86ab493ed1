"""Writes of webhooks, by whoever looks after them."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from chatcore.accounts.models import Workspace
from chatcore.accounts.principals import Principal
from chatcore.errors import NotFound
from chatcore.security.fields import Unreadable
from external.models import Delivery, Webhook
from external.webhooks import states
from external.webhooks.checking import check_fields
from external.webhooks.enqueue import enqueue_challenge
from external.webhooks.errors import TooManyWebhooks, WebhookInactive
from external.webhooks.querysets import DeliveryQuerySet
from external.webhooks.signing import new_secret

MANAGE = "webhooks:manage"
MOST = 20


@transaction.atomic
def add_webhook(principal: Principal, **fields: Any) -> Webhook:
    """A webhook whose address is asked for its consent next. Its secret is shown to nobody later. Raises Invalid."""
    principal.require(MANAGE)
    check_fields(fields)
    Workspace.objects.select_for_update(no_key=True).get(pk=principal.workspace.pk)
    if Webhook.objects.filter(workspace=principal.workspace).count() >= MOST:
        raise TooManyWebhooks
    webhook = Webhook.objects.create(
        workspace=principal.workspace, integration=principal.integration, secret=new_secret(), **fields
    )
    enqueue_challenge(webhook)
    return webhook


@transaction.atomic
def change_webhook(principal: Principal, webhook_id: uuid.UUID, **changes: Any) -> Webhook:
    """At work for what happens from now on. Another address must answer the challenge before it is told anything."""
    webhook = lock_webhook(principal, webhook_id)
    check_fields(changes)
    moved = changes.get("url", webhook.url) != webhook.url
    for name, value in changes.items():
        setattr(webhook, name, value)
    webhook.save(update_fields=list(changes))
    if moved and webhook.is_active:
        states.bury(webhook.id, timezone.now())
    if moved and webhook.status != Webhook.Status.DISABLED:
        _ask(webhook)
    return webhook


@transaction.atomic
def remove_webhook(principal: Principal, webhook_id: uuid.UUID) -> None:
    """With its log."""
    webhook = lock_webhook(principal, webhook_id)
    webhook.delete()


@transaction.atomic
def challenge_webhook(principal: Principal, webhook_id: uuid.UUID) -> Webhook:
    """Ask its address, also that of a disabled one, which is enabled by the answer. An active one needs none."""
    webhook = lock_webhook(principal, webhook_id)
    if not webhook.is_active:
        _ask(webhook)
    return webhook


@transaction.atomic
def disable_webhook(principal: Principal, webhook_id: uuid.UUID) -> Webhook:
    webhook = lock_webhook(principal, webhook_id)
    if webhook.status != Webhook.Status.DISABLED:
        states.disable(webhook, Webhook.Reason.PERSON, timezone.now(), principal.author)
    return webhook


@transaction.atomic
def rotate_secret(principal: Principal, webhook_id: uuid.UUID) -> Webhook:
    """A new secret, with which is signed from now on; for 24 hours also with the one before."""
    webhook = lock_webhook(principal, webhook_id)
    try:
        webhook.previous_secret = webhook.secret
    except Unreadable:
        webhook.previous_secret = ""
    webhook.secret, webhook.rotated_at = new_secret(), timezone.now()
    webhook.save(update_fields=["secret", "previous_secret", "rotated_at"])
    return webhook


@transaction.atomic
def redeliver(principal: Principal, delivery_id: uuid.UUID) -> Delivery:
    """Send it again with its whole schedule, whatever became of it. One that is being sent is left to its sender."""
    delivery = find_delivery(principal, delivery_id)
    _require_active(lock_webhook(principal, delivery.webhook_id))
    again = Delivery.objects.filter(pk=delivery.pk).exclude(status=Delivery.Status.SENDING)
    again.update(**_again())
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def redeliver_all(
    principal: Principal,
    webhook_id: uuid.UUID,
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
    delivered: bool = False,
) -> int:
    """Send again what is dead, of a time range if one is named, and if asked for also what was delivered in it.

    Returns how many those are.
    """
    _require_active(lock_webhook(principal, webhook_id))
    statuses = [Delivery.Status.DEAD, *([Delivery.Status.DELIVERED] if delivered else [])]
    ended = Delivery.objects.filter(webhook=webhook_id, status__in=statuses)
    return ended.between(begin, end).update(**_again())


def send_again(deliveries: DeliveryQuerySet) -> int:
    """Staff's choice of deliveries: those that have ended, of active webhooks. Returns how many those are."""
    ended = deliveries.filter(
        status__in=[Delivery.Status.DEAD, Delivery.Status.DELIVERED], webhook__status=Webhook.Status.ACTIVE
    )
    return ended.update(**_again())


def find_webhook(principal: Principal, webhook_id: uuid.UUID) -> Webhook:
    principal.require(MANAGE)
    return _found(Webhook.objects.for_principal(principal).filter(pk=webhook_id).first())


def lock_webhook(principal: Principal, webhook_id: uuid.UUID) -> Webhook:
    principal.require(MANAGE)
    locked = Webhook.objects.for_principal(principal).select_for_update(no_key=True)
    return _found(locked.filter(pk=webhook_id).first())


def find_delivery(principal: Principal, delivery_id: uuid.UUID) -> Delivery:
    principal.require(MANAGE)
    found: Delivery | None = Delivery.objects.for_principal(principal).filter(pk=delivery_id).first()
    if found is None:
        raise NotFound
    return found


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise NotFound
    return webhook


def _require_active(webhook: Webhook) -> None:
    if not webhook.is_active:
        raise WebhookInactive


def _ask(webhook: Webhook) -> None:
    webhook.status, webhook.reason, webhook.challenge_error = Webhook.Status.PENDING, "", ""
    webhook.save(update_fields=["status", "reason", "challenge_error"])
    enqueue_challenge(webhook)


def _again() -> Mapping[str, Any]:
    return {"status": Delivery.Status.PENDING, "tries": 0, "due_at": timezone.now(), "ended_at": None}
