"""Webhooks in every state, with a log, for pictures of their pages. Nothing of it is ever sent."""

from datetime import datetime, timedelta

from django.utils import timezone

from chatcore.accounts.models import Membership
from external.models import Delivery, Webhook
from external.webhooks.signing import new_secret

ANSWERS = ((200, '{"ok": true}'), (502, "<html><h1>Bad Gateway</h1></html>"), (None, ""))


def fill_webhooks(email: str) -> dict[str, str]:
    """The addresses of the pages, by the names of their pictures."""
    workspace = Membership.objects.get(user__email=email).workspace
    now = timezone.now()
    later = now + timedelta(days=2)
    hooks = [
        Webhook.objects.create(workspace=workspace, secret=new_secret(), **fields)
        for fields in _each_state(now, later)
    ]
    deliveries = [_delivery(hooks[0], number, later) for number in range(24)]
    return {
        "webhook": f"/workspace/webhooks/{hooks[0].id}/",
        "delivery": f"/workspace/webhooks/deliveries/{deliveries[-1].id}/",
    }


def _each_state(now: datetime, later: datetime) -> tuple[dict[str, object], ...]:
    return (
        {
            "url": "https://hooks.acme.example/chatcore?source=production",
            "description": "Orders and complaints into the ticket system",
            "types": ["message.created", "reply.*"],
            "filter": {
                "all": [{"path": "data.author", "eq": "user"}, {"path": "data.text", "mentions": "desk"}]
            },
            "status": "active",
            "activated_at": later,
            "failures": 6,
            "failing_since": now - timedelta(hours=3),
            "held_until": later,
        },
        {
            "url": "https://sms.example.com/in",
            "types": ["reply.completed"],
            "ordered": True,
            "status": "active",
            "activated_at": later,
        },
        {
            "url": "https://new.example.org/hook",
            "types": ["*"],
            "payload": "thin",
            "challenge_error": "The address answered 404.",
        },
        {
            "url": "https://old.example.org/hook",
            "types": ["message.*"],
            "status": "disabled",
            "reason": "gone",
        },
    )


def _delivery(webhook: Webhook, number: int, due_at: object) -> Delivery:
    now = timezone.now()
    status = ("delivered", "dead", "pending")[number % 3]
    delivery = Delivery.objects.create(
        webhook=webhook,
        event=-number,
        number=number,
        event_type=("message.created", "reply.completed")[number % 2],
        body='{"type":"message.created","timestamp":"2026-11-22T10:00:00+00:00","data":{"text":"Hello @desk"}}',
        status=status,
        attempts=3,
        due_at=due_at,
        ended_at=None if status == "pending" else now,
        created_at=now - timedelta(hours=24 - number),
    )
    for place, (answered, text) in enumerate(ANSWERS, start=1):
        code = "" if answered else "outbound_timed_out"
        started = now - timedelta(minutes=40 - 10 * place)
        next_at = now + timedelta(hours=2)
        delivery.log.create(
            number=place,
            started_at=started,
            duration_ms=place * 71,
            status=answered,
            code=code,
            answer=text,
            next_at=next_at,
        )
    return delivery
