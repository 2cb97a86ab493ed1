"""The event log over connections that are cut: resumed by its cursor, every event once."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from chatcore_client import (
    AsyncChatcore,
    Event,
    Forbidden,
    Resync,
    Retry,
    TransportFailed,
    UnexpectedAnswer,
)
from tests.client.test_wire import AT, UNAVAILABLE
from tests.client.wire import HOLD, RESET, Wire, answer, event, problem, stream

Connect = Callable[..., Any]
SOON = b"retry: 10\n\n"


def happened(number: int, cursor: str | None = None, kind: str = "message.created") -> bytes:
    frame = {
        "type": kind,
        "id": number,
        "version": 1,
        "workspace": "w",
        "conversation": "c",
        "actor": "user:u",
    }
    return event(kind, frame | {"at": AT, "data": {"text": "Grüße 🙂"}}, cursor)


def hello(cursor: str, id: str | None = None) -> bytes:
    return event("hello", {"type": "hello", "data": {"cursor": cursor}}, id)


def ids(events: Any, count: int) -> list[str | None]:
    return [item.id for item in islice(events, count)]


def targets(wire: Wire) -> list[str]:
    return [request.target for request in wire.requests]


def test_an_event_is_told_whole(connect: Connect) -> None:
    with Wire(stream(SOON, hello("k0"), happened(1, "k1"), HOLD)) as wire:
        with connect(wire.url).events(conversation="c") as events:
            found = next(events)
        assert events.cursor == "k1"
    assert isinstance(found, Event)
    assert (found.id, found.type, found.conversation, found.data["text"]) == (
        "1",
        "message.created",
        "c",
        "Grüße 🙂",
    )
    assert found.at.isoformat() == AT
    assert targets(wire) == ["/events/?conversation=c"]


@pytest.mark.parametrize(
    "end", [[RESET], [], [happened(9)[:-20]], [HOLD]], ids=["reset", "end", "half", "silence"]
)
def test_a_cut_stream_is_resumed_and_repeats_are_dropped(connect: Connect, end: list[Any]) -> None:
    with (
        Wire(
            stream(SOON, hello("k0"), happened(1, "k1"), happened(2), *end),
            answer(503, UNAVAILABLE, Retry_After="0"),
            stream(SOON, happened(2), happened(3, "k3"), hello("k3", "k3"), *end),
            stream(SOON, happened(4, "k4"), HOLD),
        ) as wire,
        connect(wire.url, silence=0.3).events() as events,
    ):
        assert ids(events, 4) == ["1", "2", "3", "4"]
    assert targets(wire) == ["/events/", "/events/?after=k1", "/events/?after=k1", "/events/?after=k3"]


def test_a_greeting_moves_no_cursor_past_what_was_missed(connect: Connect) -> None:
    with (
        Wire(stream(SOON, hello("k9")), stream(SOON, happened(5, "k5"), HOLD)) as wire,
        connect(wire.url).events(after="k4") as events,
    ):
        assert ids(events, 1) == ["5"]
    assert targets(wire) == ["/events/?after=k4", "/events/?after=k4"]


def test_a_signal_passes_and_words_of_the_connection_do_not(connect: Connect) -> None:
    typing = event("typing", {"type": "typing", "conversation": "c", "data": {"on": True}})
    with (
        Wire(stream(b": hi\n\n", hello("k0"), typing, typing, happened(1, "k1"), HOLD)) as wire,
        connect(wire.url).events() as events,
    ):
        assert [(item.type, item.id) for item in islice(events, 3)] == [
            ("typing", None),
            ("typing", None),
            ("message.created", "1"),
        ]


def test_a_server_that_stops_says_when_to_come_back(connect: Connect) -> None:
    reconnect = event("reconnect", {"type": "reconnect", "data": {"after": 0.01}})
    with (
        Wire(
            stream(hello("k0"), happened(1, "k1"), reconnect, HOLD), stream(happened(2, "k2"), HOLD)
        ) as wire,
        connect(wire.url, retry=Retry(base=60)).events() as events,
    ):
        assert ids(events, 2) == ["1", "2"]
    assert targets(wire)[1] == "/events/?after=k1"


GONE = problem(410, "resync")


@pytest.mark.parametrize(
    "refusal",
    [answer(410, GONE), [*stream(event("resync", {"type": "resync", "data": GONE}))]],
    ids=["410", "frame"],
)
def test_a_cursor_that_is_too_old_is_raised(connect: Connect, refusal: Any) -> None:
    with Wire(list(refusal)) as wire:
        client = connect(wire.url)
        with client.events(after="old") as events, pytest.raises(Resync) as caught:
            next(events)
    assert (caught.value.code, caught.value.status) == ("resync", 410)


def test_on_resync_the_log_is_joined_before_the_state_is_read(connect: Connect) -> None:
    told: list[Any] = []
    with Wire(answer(410, GONE), stream(hello("k7"), happened(8, "k8"), HOLD)) as wire:

        def reload(error: Resync) -> None:
            told.append((error.code, len(wire.requests)))

        with connect(wire.url).events(after="old", on_resync=reload) as events:
            assert ids(events, 1) == ["8"]
    assert told == [("resync", 2)]
    assert targets(wire) == ["/events/?after=old", "/events/"]


def test_a_lost_grant_is_raised_at_once(connect: Connect) -> None:
    with (
        Wire(stream(SOON, hello("k0"), happened(1, "k1")), answer(403, problem(403, "forbidden"))) as wire,
        connect(wire.url).events() as events,
    ):
        next(events)
        with pytest.raises(Forbidden):
            next(events)


def test_patience_ends_it(connect: Connect) -> None:
    with (
        Wire(stream(SOON, hello("k0"), happened(1, "k1")), [RESET], [RESET]) as wire,
        connect(wire.url, retry=Retry(base=0, patience=0)).events() as events,
    ):
        next(events)
        with pytest.raises(TransportFailed):
            next(events)


@pytest.mark.parametrize("garbage", [b"data: <html>\n\n", b"data: []\n\n", b"data: {}\n\n"])
def test_garbage_is_an_error(connect: Connect, garbage: bytes) -> None:
    with Wire(stream(hello("k0"), garbage)) as wire:
        client = connect(wire.url)
        with client.events() as events, pytest.raises(UnexpectedAnswer):
            next(events)


def test_a_page_of_the_log(connect: Connect) -> None:
    frame = {"type": "message.created", "id": 5, "at": AT, "data": {}, "news": 1}
    with Wire(answer(200, {"results": [frame], "cursor": "k5", "has_more": True})) as wire:
        page = connect(wire.url).poll(after="k4", limit=1, conversation="c")
    assert ([item.id for item in page.events], page.cursor, page.has_more) == (["5"], "k5", True)
    assert page.events[0].extra == {"news": 1}
    assert targets(wire) == ["/api/v1/events?after=k4&limit=1&conversation=c"]


async def test_a_callback_may_be_a_coroutine_and_a_wait_may_be_cancelled() -> None:
    told = []

    async def reload(error: Resync) -> None:
        await asyncio.sleep(0)
        told.append(error)

    with Wire(
        answer(410, GONE), stream(hello("k7"), happened(8, "k8"), HOLD), stream(happened(9), HOLD)
    ) as wire:
        async with (
            AsyncChatcore(wire.url, key="k", retry=Retry(base=0)) as client,
            client.events(after="old", on_resync=reload) as events,
        ):
            assert (await anext(events)).id == "8"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(events), 0.05)
            assert (await anext(events)).id == "9"
    assert len(told) == 1
    assert targets(wire)[-1] == "/events/?after=k8"
