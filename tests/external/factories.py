"""Makers of webhooks and deliveries for the tests."""

import itertools
from typing import Any

from django.utils import timezone

from chatcore.accounts.principals import Principal
from external.models import Delivery, Webhook
from external.webhooks.signing import new_secret

_numbers = itertools.count(1)


def make_webhook(owner: Principal, url: str = "https://hooks.example.com/", **fields: Any) -> Webhook:
    """One that is active and asks for everything."""
    fields = {"types": ["*"], "status": "active", "activated_at": timezone.now(), **fields}
    return Webhook.objects.create(workspace=owner.workspace, url=url, secret=new_secret(), **fields)


def make_delivery(webhook: Webhook, **fields: Any) -> Delivery:
    """One that is due, of an event that nobody knows."""
    number, now = next(_numbers), timezone.now()
    defaults = {
        "event": -number,
        "number": number,
        "event_type": "message.created",
        "body": f'{{"number":{number}}}',
        "due_at": now,
        "created_at": now,
    }
    return Delivery.objects.create(webhook=webhook, **defaults | fields)
