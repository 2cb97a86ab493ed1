"""Writes to and reads from the event log. `announce` is the one way to tell that something happened."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Func, QuerySet
from django.db.models.expressions import F
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan

from chatcore import rows
from chatcore.errors import Gone
from chatcore.realtime import cursors
from chatcore.realtime.catalogue import EventBody
from chatcore.realtime.cursors import Cursor
from chatcore.realtime.feeds import Feed, user_group, workspace_group
from chatcore.realtime.fields import Xid8Field
from chatcore.realtime.hub import hub
from chatcore.realtime.models import Event

REPLAY_LIMIT = 5_000


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One event to be: what happened, where, by whom, and which users may hear of it."""

    body: EventBody
    workspace: uuid.UUID
    conversation: uuid.UUID | None
    actor: str
    audience: tuple[uuid.UUID, ...]


def announce(*announcements: Announcement) -> list[Event]:
    """Write events in the current transaction; publish them to the watchers after its commit."""
    events = [
        rows.new(
            Event,
            workspace_id=item.workspace,
            conversation_id=item.conversation,
            type=item.body.type,
            version=item.body.version,
            actor=item.actor,
            audience=list(item.audience),
            payload=item.body.model_dump(mode="json"),
        )
        for item in announcements
    ]
    rows.insert(events, returning=("id", "created_at"))
    transaction.on_commit(lambda: _publish(events), robust=True)
    return events


def _publish(events: Iterable[Event]) -> None:
    hub.publish_many([(groups_of(event), frame_body(event)) for event in events])


def groups_of(event: "Event | Position") -> list[str]:
    """The hub groups that hear of an event: its conversation's, its workspace's, every user's of its audience."""
    groups = [user_group(event.workspace_id, user_id) for user_id in event.audience]
    groups.append(workspace_group(event.workspace_id))
    return [f"conversation.{event.conversation_id}", *groups] if event.conversation_id else groups


def frame_body(event: Event) -> dict[str, Any]:
    """The event as it travels; the hub adds the cursor on delivery."""
    return {
        "type": event.type,
        "id": event.id,
        "version": event.version,
        "workspace": str(event.workspace_id),
        "conversation": str(event.conversation_id) if event.conversation_id else None,
        "actor": event.actor,
        "at": event.created_at.isoformat(),
        "data": event.payload,
    }


_HORIZON = Func(
    Func(function="pg_current_snapshot", output_field=Xid8Field()),
    function="pg_snapshot_xmin",
    output_field=Xid8Field(),
)


def _after(position: Cursor, feed: Feed) -> QuerySet[Event]:
    """All that is visible, also above the horizon."""
    missed = Event.objects.filter(
        TupleGreaterThan(Tuple(F("xid"), F("id")), (position.xid, position.id)), workspace_id=feed.workspace
    )
    if feed.user:
        missed = missed.filter(audience__contains=[feed.user])
    if feed.only is not None:
        missed = missed.filter(conversation_id__in=feed.only)
    return missed.order_by("xid", "id")


def followable(cursor: str, feed: Feed) -> Cursor:
    """Where a client stands. Raises Malformed for a cursor not of ours, Gone for one that is too far behind.

    More than 5,000 events behind, reading the state again is cheaper than replaying.
    """
    position = cursors.decode(cursor)
    behind = (
        _after(position, feed).filter(xid__lt=_HORIZON).values_list("id")[REPLAY_LIMIT : REPLAY_LIMIT + 1]
    )
    if behind:
        raise Gone
    return position


@dataclass(frozen=True)
class Page:
    """Frame bodies, oldest first, each with the cursor that stands behind it; `end` is where the reader stands now,
    `cursor` the same for a client.
    """

    frames: list[tuple[dict[str, Any], str]]
    end: Cursor
    has_more: bool

    @property
    def cursor(self) -> str:
        return self.frames[-1][1] if self.has_more else cursors.encode(self.end)


def read_page(position: Cursor, feed: Feed, limit: int) -> Page:
    """The next events below the horizon."""
    horizon = cursors.now()
    events = list(_after(position, feed).filter(xid__lt=_HORIZON)[: limit + 1])
    places = [Cursor(event.xid, event.id) for event in events[:limit]]
    frames = [
        (frame_body(event), cursors.encode(place, event.created_at))
        for event, place in zip(events[:limit], places, strict=True)
    ]
    has_more = len(events) > limit
    return Page(frames, places[-1] if has_more else max([*places, horizon, position]), has_more)


def read_unsettled(position: Cursor, feed: Feed) -> list[dict[str, Any]]:
    """What stands behind the end of the last page: committed, but something older may still appear before it.

    It was published when it committed, perhaps before the reader joined, and the tail brings it to nobody a second
    time. No cursor may name it.
    """
    return [frame_body(event) for event in _after(position, feed)[:REPLAY_LIMIT]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where an event stands and who hears of it, without its payload."""

    xid: int
    id: int
    workspace_id: uuid.UUID
    conversation_id: uuid.UUID | None
    audience: list[uuid.UUID]


def positions_after(cursor: Cursor, limit: int) -> tuple[list[Position], Cursor]:
    """The next positions below the horizon, oldest first, and the cursor that stands after them."""
    with connection.cursor() as sql:
        sql.execute(
            """
            with horizon as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xid)
            select e.xid::text, e.id, e.workspace_id, e.conversation_id, e.audience, horizon.xid::text
            from horizon left join lateral (
                select event.* from realtime_event event
                where (event.xid, event.id) > (%s::text::xid8, %s) and event.xid < horizon.xid
                order by event.xid, event.id limit %s
            ) e on true
            """,
            [str(cursor.xid), cursor.id, limit],
        )
        rows = sql.fetchall()
    positions = [Position(int(xid), *rest) for xid, *rest, _ in rows if xid is not None]
    if len(positions) == limit:
        return positions, Cursor(positions[-1].xid, positions[-1].id)
    return positions, Cursor(int(rows[0][-1]), 0)
