"""Turns the event log into deliveries: each event exactly once for each webhook that asks for it.

How far the log is read and what was made of it are committed together, and whoever goes on has the one row locked:
a worker that dies leaves nothing half done, and two do not do the same.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from django.db import transaction
from django.utils import timezone

from chatcore.realtime import cursors, filters
from chatcore.realtime.cursors import Cursor
from chatcore.realtime.log import frame_body, positions_after
from chatcore.realtime.models import Event
from external.models import Delivery, Dispatch, Webhook
from external.webhooks.hops import hops_of
from external.webhooks.payloads import body_of

PAGE = 1_000
IDLE = timedelta(minutes=1)  # an idle log is not worth a write more often


@transaction.atomic
def dispatch(now: datetime | None = None, page: int = PAGE) -> int | None:
    """Make the deliveries of the next events; returns how many events were read, None where another is at it.

    A full page means that there may be more.
    """
    now = now or timezone.now()
    place = Dispatch.objects.select_for_update(skip_locked=True).first()
    if place is None:
        _begin(now)
        return None
    if place.cluster != cursors.cluster():
        _restart(place, now)
        return 0
    # The webhooks are read after the horizon: an event that happened once one was active is not read without it.
    positions, end = positions_after(Cursor(place.xid, place.event), page)
    webhooks = _active_in({position.workspace_id for position in positions})
    events = _events(position.id for position in positions if position.workspace_id in webhooks)
    deliveries = _deliveries(events, webhooks, place.number, now)
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    if positions or now - place.moved_at >= IDLE:
        number = place.number + len(deliveries)
        place.set_place(xid=end.xid, event=end.id, number=number, moved_at=now)
    return len(positions)


def _begin(now: datetime) -> None:
    """Unless another has, meanwhile."""
    here = cursors.now()
    first = Dispatch(cluster=cursors.cluster(), xid=here.xid, event=here.id, moved_at=now)
    Dispatch.objects.bulk_create([first], ignore_conflicts=True)


def _restart(place: Dispatch, now: datetime) -> None:
    """The database was restored elsewhere, where transactions are counted anew."""
    here = cursors.now()
    place.set_place(cluster=cursors.cluster(), xid=here.xid, event=here.id, moved_at=now)


def _active_in(workspaces: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Webhook]]:
    found = defaultdict(list)
    if workspaces:
        for webhook in Webhook.objects.active().without_secrets().filter(workspace__in=workspaces):
            found[webhook.workspace_id].append(webhook)
    return dict(found)


def _events(ids: Iterable[int]) -> list[Event]:
    return list(Event.objects.filter(id__in=ids).order_by("xid", "id"))


def _deliveries(
    events: Sequence[Event], webhooks: Mapping[uuid.UUID, Sequence[Webhook]], number: int, now: datetime
) -> list[Delivery]:
    wanted = [
        (event, webhook)
        for event in events
        for webhook in webhooks[event.workspace_id]
        if is_wanted(event, webhook)
    ]
    hops = hops_of({event.id: event for event, _ in wanted}.values())
    bodies: dict[tuple[int, str], str] = {}
    made = []
    for place, (event, webhook) in enumerate(wanted, start=number + 1):
        form = (event.id, webhook.payload)
        if form not in bodies:
            bodies[form] = body_of(event, webhook.payload, hops[event.id])
        made.append(
            Delivery(
                webhook=webhook,
                event=event.id,
                event_type=event.type,
                conversation=event.conversation_id,
                message=_message_of(event),
                number=place,
                hops=hops[event.id],
                body=bodies[form],
                due_at=now,
                created_at=now,
            )
        )
    return made


def is_wanted(event: Event, webhook: Webhook) -> bool:
    """Whether it happened after the webhook was activated, is of a type it asks for, and meets its filter."""
    if webhook.activated_at is None or event.created_at < webhook.activated_at:
        return False
    if not any(fnmatchcase(event.type, glob) for glob in webhook.types):
        return False
    return filters.matches(webhook.filter, frame_body(event))


def _message_of(event: Event) -> uuid.UUID | None:
    try:
        return uuid.UUID(event.payload["message"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
