"""Writes what came of attempts: the log, when to try again, the health of each webhook, receipts of messages."""

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from conversations.actions import receipts
from conversations.actions.receipts import Acknowledgement
from external.models import Attempt, Delivery, Webhook
from external.webhooks import schedule
from external.webhooks.sending import Outcome
from external.webhooks.states import disable

log = logging.getLogger(__name__)
TELLING = ("message.created", "reply.completed")  # events that bring a message to who hears of them


def record_each(outcomes: Sequence[Outcome], now: datetime) -> None:
    """`record`, where one that cannot be written costs the others nothing: it is sent again when its lease ends.

    Raises OperationalError or InterfaceError where the database is away.
    """
    try:
        record(outcomes, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if len(outcomes) == 1:
            log.exception("what came of delivery %s cannot be written", outcomes[0].claim.id)
            return
        for outcome in outcomes:
            record_each([outcome], now)


def record(outcomes: Sequence[Outcome], now: datetime) -> int:
    """Write them in one transaction; returns how many still were their senders' to tell."""
    with transaction.atomic():
        ours = _record(outcomes, now)
    receipts.record(_received([outcome.claim.id for outcome in ours if outcome.is_success]))
    return len(ours)


def _record(outcomes: Sequence[Outcome], now: datetime) -> list[Outcome]:
    """Webhooks are locked before deliveries, as everywhere; those whose health does not change are not."""
    troubled = {out.claim.webhook for out in outcomes if out.claim.was_failing or not out.is_success}
    locked = Webhook.objects.without_secrets().select_for_update(no_key=True).order_by("id")
    webhooks = {webhook.id: webhook for webhook in locked.filter(id__in=troubled)}
    next_at = {outcome.claim.id: _next_attempt(outcome, now) for outcome in outcomes}
    kept = _finish(outcomes, next_at, now)
    ours = [outcome for outcome in outcomes if outcome.claim.id in kept]
    Attempt.objects.bulk_create([_attempt(outcome, next_at[outcome.claim.id]) for outcome in ours])
    for webhook in webhooks.values():
        # What an address answered that it has left meanwhile says nothing of the new one.
        _judge(
            webhook,
            [out for out in ours if (out.claim.webhook, out.claim.url) == (webhook.id, webhook.url)],
            now,
        )
    return ours


def _next_attempt(outcome: Outcome, now: datetime) -> datetime | None:
    """None where there is none: it was taken, or its tries are used up."""
    if outcome.is_success or outcome.is_gone:
        return None
    return schedule.next_attempt(outcome.claim.tries, now, outcome.retry_after)


def _finish(
    outcomes: Sequence[Outcome], next_at: Mapping[uuid.UUID, datetime | None], now: datetime
) -> set[uuid.UUID]:
    """The ids of the deliveries that still were with the sender that tells."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.claim.id)
    values: dict[str, Any] = {
        "ids": [outcome.claim.id for outcome in ordered],
        "attempts": [outcome.claim.attempt for outcome in ordered],
        "statuses": [_status(outcome, next_at[outcome.claim.id]) for outcome in ordered],
        "dues": [next_at[outcome.claim.id] or now for outcome in ordered],
        "now": now,
    }
    with connection.cursor() as sql:
        sql.execute(_FINISH, values)
        return {row[0] for row in sql.fetchall()}


def _status(outcome: Outcome, next_at: datetime | None) -> str:
    if outcome.is_success:
        return Delivery.Status.DELIVERED
    return Delivery.Status.PENDING if next_at else Delivery.Status.DEAD


def _attempt(outcome: Outcome, next_at: datetime | None) -> Attempt:
    return Attempt(
        delivery_id=outcome.claim.id,
        number=outcome.claim.attempt,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        status=outcome.status,
        code=outcome.code,
        answer=outcome.answer,
        next_at=next_at,
    )


def _note_health(webhook: Webhook, outcome: Outcome, now: datetime) -> None:
    """A success forgets what was. A failure of what was sent before the address was left alone does not count."""
    if outcome.is_success:
        webhook.failures, webhook.failing_since, webhook.held_until = 0, None, None
        return
    webhook.failing_since = webhook.failing_since or now
    is_held = webhook.held_until is not None and webhook.held_until > now
    if not is_held:
        webhook.failures += 1
    pauses = [schedule.hold(webhook.failures) if not is_held else None]
    if outcome.status in (429, 503):
        pauses.append(outcome.retry_after)
    for pause in filter(None, pauses):
        webhook.held_until = max(webhook.held_until or now, now + pause)


def _judge(webhook: Webhook, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Note its health; disable one whose address says that it is gone, or has failed for too long."""
    for outcome in outcomes:
        _note_health(webhook, outcome, now)
    webhook.save(update_fields=["failures", "failing_since", "held_until"])
    if not webhook.is_active:
        return
    if any(outcome.is_gone for outcome in outcomes):
        disable(webhook, Webhook.Reason.GONE, now)
    elif webhook.failing_since and now - webhook.failing_since >= schedule.GIVE_UP_AFTER:
        disable(webhook, Webhook.Reason.FAILING, now)


def _received(ids: Sequence[uuid.UUID]) -> Iterable[Acknowledgement]:
    """A message that an integration's webhook has taken has reached that integration."""
    found = Delivery.objects.filter(
        id__in=ids, event_type__in=TELLING, message__isnull=False, webhook__integration__isnull=False
    ).values_list("webhook__workspace_id", "conversation", "message", "webhook__integration_id")
    for workspace, conversation, message, integration in found:
        assert conversation
        assert message
        recipient = f"integration:{integration}"
        yield Acknowledgement(workspace, conversation, message, recipient, None, "delivered")


_FINISH = """
update external_delivery delivery
set status = told.status, due_at = told.due_at,
    ended_at = case when told.status = 'pending' then null else %(now)s end
from unnest(%(ids)s::uuid[], %(attempts)s::int[], %(statuses)s::text[], %(dues)s::timestamptz[])
    told (id, attempt, status, due_at)
where delivery.id = told.id and delivery.attempts = told.attempt and delivery.status = 'sending'
returning delivery.id
"""
