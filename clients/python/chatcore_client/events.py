"""Everything that happens, from the event log: one page of it, or without end, over any number of connections."""

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from chatcore_client.errors import ChatcoreError, Resync, TransportFailed, from_problem
from chatcore_client.flow import (
    Emit,
    Flow,
    Listing,
    Read,
    Request,
    Settings,
    Shut,
    Sleep,
    Tell,
    now,
    path,
    pause,
    send,
)
from chatcore_client.frames import curable, frame_of, open_stream
from chatcore_client.records import Event, EventPage
from chatcore_client.sse import Parser, ServerSentEvent

OnResync = Callable[[Resync], None]
OnResyncMaybeAsync = Callable[[Resync], Awaitable[None] | None]

REMEMBERED = 20_000  # ids; a server sends at most 5,000 events again
CONTROL = ("hello", "resync", "reconnect", "subscribed", "unsubscribed", "pong")


def poll(
    settings: Settings, *, after: str | None = None, limit: int | None = None, conversation: str | None = None
) -> Flow[EventPage]:
    """One page of what happened after the cursor, for those who cannot keep a connection open.

    Without a cursor there are no events in it, and its `cursor` is where to begin.
    """
    query = _named(after=after, limit=None if limit is None else str(limit), conversation=conversation)
    return EventPage.of((yield from send(settings, Request("GET", path("events"), query))).json)


class Log:
    """Where a reader of the log stands. `cursor` is the newest position that is safe to resume from."""

    def __init__(self, after: str | None = None) -> None:
        self.cursor = after
        self._seen: OrderedDict[str, None] = OrderedDict()

    def is_new(self, event: Event) -> bool:
        """Each event is new once; a signal, which has no id, always."""
        if event.id is None:
            return True
        if event.id in self._seen:
            return False
        self._seen[event.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True


def follow_log(
    settings: Settings, log: Log, conversation: str | None, on_resync: Callable[[Resync], Any] | None
) -> Listing[Event]:
    """Every event once, for ever. Raises Resync if the cursor is too old and `on_resync` is not given.

    With it, the log is first joined anew, then `on_resync` is told, so that what happens while it reads the state
    is not missed.
    """
    failures, alive_at = 0, now()
    base: float | None = None
    lost: Resync | None = None
    while True:
        parser = Parser()
        try:
            yield from open_stream(
                Request("GET", "/events/", _named(after=log.cursor, conversation=conversation))
            )
            while chunk := (yield Read()):
                alive_at = now()
                for received in parser.feed(chunk):
                    event = _heard(log, received)
                    failures = 0
                    if lost and on_resync and log.cursor:
                        lost, told = None, lost
                        yield Tell(on_resync, told)
                    if event.type not in CONTROL and log.is_new(event):
                        yield Emit(event)
            raise TransportFailed("The stream ended.")
        except _Invited as invitation:
            failures = 0
            yield Shut()
            yield Sleep(invitation.seconds)
        except Resync as error:
            yield Shut()
            if on_resync is None or lost:
                raise
            log.cursor, lost = None, error
        except ChatcoreError as error:
            yield Shut()
            failures, base = failures + 1, parser.base or base
            if now() - alive_at > settings.retry.patience:
                raise
            yield from pause(settings, failures, curable(error), times=math.inf, base=base)


def _heard(log: Log, received: ServerSentEvent) -> Event:
    """What came, noted in the log. Raises what ends this stream: an invitation to come back, Resync."""
    event = Event.of(frame_of(received))
    if event.type == "reconnect":
        raise _Invited(event.data.get("after"))
    if event.type == "resync":
        raise from_problem(event.data, 410)
    _move(log, received, event)
    return event


class _Invited(Exception):
    """The server stops, and says when to come back."""

    def __init__(self, after: Any) -> None:
        self.seconds = float(after) if isinstance(after, int | float) and 0 <= after <= 60 else 1.0


def _named(**query: str | None) -> dict[str, str]:
    return {name: text for name, text in query.items() if text is not None}


def _move(log: Log, received: ServerSentEvent, event: Event) -> None:
    """The stream's own `id` names a safe position. That of a greeting is one only for who had none before."""
    if received.id:
        log.cursor = received.id
    elif event.type == "hello" and log.cursor is None:
        cursor = event.data.get("cursor")
        log.cursor = cursor if isinstance(cursor, str) else None
