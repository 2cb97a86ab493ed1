"""Who sends what: deliveries that are due, handed out to one worker each, few at a time for each address."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from chatcore.security.fields import Unreadable
from external.models import Attempt, Delivery, Webhook
from external.webhooks.schedule import THRESHOLD
from external.webhooks.signing import Signing

EACH = 5  # at a time for one address
LEASE = timedelta(seconds=30)  # after which a sender counts as lost; no attempt takes half as long


@dataclass(frozen=True)
class Claim:
    """One delivery to be sent now, under this attempt's number. `was_failing`: its webhook failed the last time."""

    id: uuid.UUID
    webhook: uuid.UUID
    attempt: int
    tries: int
    hops: int
    url: str
    signing: Signing | None
    body: bytes
    was_failing: bool


@transaction.atomic
def claim_due(room: int, now: datetime, *, troubled: bool = False) -> list[Claim]:
    """Take up to `room` deliveries of the webhooks that are well, or of the `troubled` ones.

    Of each webhook at most five are with senders, of a troubled one at most one, of an ordered one the oldest that is
    not finished. The webhooks' rows are locked first: two workers never count the same places.
    """
    values: dict[str, Any] = {
        "now": now,
        "until": now + LEASE,
        "room": room,
        "each": 1 if troubled else EACH,
        "troubled": troubled,
        "threshold": THRESHOLD,
    }
    with connection.cursor() as sql:
        sql.execute(_READY, values)
        ready = [row[0] for row in sql.fetchall()]
        if not ready:
            return []
        sql.execute(_CLAIM, values | {"webhooks": ready})
        taken = sql.fetchall()
    _note_lost(taken)
    return _claims([row[0] for row in taken])


def _note_lost(taken: Iterable[tuple[uuid.UUID, int, bool, datetime]]) -> None:
    """Those that somebody was sending before: what came of it, nobody has told."""
    rows = [
        Attempt(delivery_id=delivery, number=attempt - 1, started_at=lease_end - LEASE, code="sender_lost")
        for delivery, attempt, was_sending, lease_end in taken
        if was_sending
    ]
    Attempt.objects.bulk_create(rows, ignore_conflicts=True)


def _claims(ids: Sequence[uuid.UUID]) -> list[Claim]:
    found = Delivery.objects.filter(id__in=ids).order_by("number")
    webhooks = _webhooks({delivery.webhook_id for delivery in found})
    return [_claim(delivery, *webhooks[delivery.webhook_id]) for delivery in found]


def _webhooks(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[Webhook, Signing | None]]:
    """With what each signs. None where that cannot be read any more, which is nobody else's trouble."""
    found: dict[uuid.UUID, tuple[Webhook, Signing | None]] = {}
    for webhook in Webhook.objects.without_secrets().filter(id__in=ids):
        try:
            signing = Signing(webhook.secret, webhook.previous_secret, webhook.rotated_at)
        except Unreadable:
            found[webhook.id] = (webhook, None)
        else:
            found[webhook.id] = (webhook, signing)
    return found


def _claim(delivery: Delivery, webhook: Webhook, signing: Signing | None) -> Claim:
    return Claim(
        delivery.id,
        webhook.id,
        delivery.attempts,
        delivery.tries,
        delivery.hops,
        webhook.url,
        signing,
        delivery.body.encode(),
        webhook.failing_since is not None,
    )


def release(claims: Iterable[Claim], now: datetime) -> None:
    """Give back what was not sent to its end, to be sent by another worker at once. It is no try."""
    values: dict[str, Any] = {
        "ids": [claim.id for claim in claims],
        "attempts": [claim.attempt for claim in claims],
        "now": now,
    }
    with connection.cursor() as sql:
        sql.execute(_RELEASE, values)


_READY = """
select webhook.id from external_webhook webhook
where webhook.status = 'active' and (webhook.failures >= %(threshold)s) = %(troubled)s
    and (webhook.held_until is null or webhook.held_until <= %(now)s)
    and not exists (
        select from accounts_integration integration
        where integration.id = webhook.integration_id and not integration.enabled
    )
    and exists (
        select from external_delivery delivery
        where delivery.webhook_id = webhook.id and delivery.status in ('pending', 'sending')
            and delivery.due_at <= %(now)s
    )
order by webhook.id for no key update of webhook skip locked
"""

# The deliveries of one webhook stand in a row; each webhook's first is taken before any one's second.
_CLAIM = """
with chosen as (
    select due.id, due.status, due.due_at from unnest(%(webhooks)s::uuid[]) ready (id)
    join external_webhook webhook on webhook.id = ready.id
    cross join lateral (
        select delivery.id, delivery.status, delivery.due_at,
            row_number() over (order by delivery.due_at, delivery.number) as place
        from external_delivery delivery
        where delivery.webhook_id = webhook.id and delivery.status in ('pending', 'sending')
            and delivery.due_at <= %(now)s and (not webhook.ordered or delivery.number = (
                select min(oldest.number) from external_delivery oldest
                where oldest.webhook_id = webhook.id and oldest.status in ('pending', 'sending')
            ))
        order by delivery.due_at, delivery.number
        limit greatest(0, %(each)s - (
            select count(*) from external_delivery away
            where away.webhook_id = webhook.id and away.status = 'sending' and away.due_at > %(now)s
        ))
    ) due
    order by due.place, due.due_at limit %(room)s
)
update external_delivery delivery
set status = 'sending', attempts = attempts + 1, tries = tries + 1, due_at = %(until)s
from chosen
where delivery.id = chosen.id and delivery.status in ('pending', 'sending') and delivery.due_at <= %(now)s
returning delivery.id, delivery.attempts, chosen.status = 'sending', chosen.due_at
"""

_RELEASE = """
update external_delivery delivery
set status = 'pending', due_at = %(now)s, tries = greatest(tries - 1, 0)
from unnest(%(ids)s::uuid[], %(attempts)s::int[]) held (id, attempt)
where delivery.id = held.id and delivery.attempts = held.attempt and delivery.status = 'sending'
"""
