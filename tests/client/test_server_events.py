"""The event log of a real server, followed and polled by the client."""

import uuid
from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest

from chatcore_client import (
    AsyncChatcore,
    BadRequest,
    Chatcore,
    Delta,
    Event,
    NotFound,
    Restarted,
    Retry,
    Unauthenticated,
)
from tests.client.wire import Cable
from tests.running import Chatcore as Server

pytestmark = pytest.mark.xdist_group("client")
Connect = Callable[..., Any]
WHOLE = ["conversation.created", "message.created", "reply.queued", "reply.started", "reply.completed"]


def of(conversation: str, events: Iterable[Event], count: int = len(WHOLE)) -> list[Event]:
    """So many durable events of the conversation; one that committed late may come behind a younger one."""
    mine = (event for event in events if event.conversation == conversation and event.id is not None)
    return list(islice(mine, count))


def kinds(events: Iterable[Event]) -> list[str]:
    return sorted(event.type for event in events)


def ids(events: Iterable[Event]) -> list[str | None]:
    return sorted(event.id for event in events)


def talk(client: Any, model: str = "echo") -> str:
    conversation: str = client.conversations.create(title="Given", model=model).id
    client.replies.ask(conversation, "Hello", wait=20)
    return conversation


def test_what_happens_is_followed_and_polled_alike(client: Any) -> None:
    begin = client.poll()
    assert begin.events == ()
    conversation = talk(client)
    with client.events(after=begin.cursor) as events:
        followed = of(conversation, events)
        assert events.cursor
    assert kinds(followed) == sorted(WHOLE)
    assert [event.data["text"] for event in followed if event.type == "message.created"] == ["Hello"]
    polled: list[Event] = []
    page = begin
    while len(polled) < len(WHOLE):
        page = client.poll(after=page.cursor, limit=2, conversation=conversation)
        polled += page.events
    assert ids(polled) == ids(followed)


def test_one_conversation_is_followed_with_its_words_as_they_grow(client: Any) -> None:
    begin = client.poll().cursor
    elsewhere = talk(client)
    conversation = talk(client)
    with client.events(after=begin, conversation=conversation) as events:
        assert {event.conversation for event in of(conversation, events)} == {conversation} != {elsewhere}
        reply = client.replies.ask(conversation, "Again").reply
        text = ""
        for event in events:
            if event.type == "reply.delta":
                text = text[: event.data["offset"]] + event.data["text"]
            if event.type == "reply.completed" and event.data["message"] == reply.id:
                break
    assert text == client.messages.get(reply.id).text


def test_cuts_neither_lose_nor_double_an_event(client: Any, server: Server, connect: Connect) -> None:
    begin = client.poll().cursor
    with Cable(server.url, 700, 1500, 2500, 900, 4000) as cable:
        far = connect(cable.url, key=server.key, retry=Retry(base=0))
        with far.events(after=begin) as events:
            first = talk(client)
            got = of(first, events)
            second = talk(client, "long")
            got += of(second, events)
        assert cable.connections >= 5
    with client.events(after=begin) as events:
        both = (event for event in events if event.conversation in (first, second))
        assert ids(got) == ids(islice(both, 2 * len(WHOLE)))
    assert kinds(got) == sorted([*WHOLE, *WHOLE])


def test_refusals(client: Any, server: Server, connect: Connect) -> None:
    for options, kind in ({"after": "forged"}, BadRequest), ({"conversation": str(uuid.uuid4())}, NotFound):
        with client.events(**options) as events, pytest.raises(kind):
            next(events)
    with connect(server.url, key="cc_live_wrong").events() as events, pytest.raises(Unauthenticated):
        next(events)
    with pytest.raises(BadRequest):
        client.poll(after="forged")


async def test_events_and_replies_at_the_same_time(server: Server) -> None:
    async with (
        AsyncChatcore(server.url, key=server.key) as client,
        client.events(after=(await client.poll()).cursor) as events,
    ):
        conversation = (await client.conversations.create(title="Given", model="echo")).id
        reply = await client.replies.stream(conversation, "Hello").finish()
        found: list[Event] = []
        async for event in events:
            if event.conversation == conversation:
                found.append(event)
            if len(found) == len(WHOLE):
                break
    assert kinds(found) == sorted(WHOLE)
    assert {event.data["message"] for event in found if event.type == "reply.completed"} == {reply.id}


def test_a_server_that_dies_and_comes_back_costs_nothing(server: Server, gate: Path) -> None:
    gate.unlink(missing_ok=True)
    with Chatcore(server.url, key=server.key, retry=Retry(times=100, base=0.1, longest=0.5)) as client:
        begin = client.poll().cursor
        conversation = client.conversations.create(title="Given", model="gated").id
        with client.events(after=begin) as events, client.replies.stream(conversation, "Go") as replying:
            pieces = [next(replying)]
            first = next(events)
            server.kill("up")
            server.start()
            gate.touch()
            pieces += list(replying)
            seen = of(conversation, chain([first], events), len(WHOLE) + 1)
    assert pieces[0] == Delta("Before ", "", 0, 1)
    assert pieces[1] == Restarted(2)
    assert "".join(piece.text for piece in pieces[2:] if isinstance(piece, Delta)) == "Before after."
    assert kinds(seen) == sorted([*WHOLE, "reply.restarted"])
