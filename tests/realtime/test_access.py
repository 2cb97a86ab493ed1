"""A connection whose credentials are good for less than when it was opened hears less."""

import asyncio
import dataclasses
import uuid
from typing import Any

import pytest

from chatcore.accounts.principals import Principal
from chatcore.realtime import connections, sessions
from chatcore.realtime.frames import signal
from chatcore.realtime.hub import hub
from chatcore.realtime.outgoing import Outgoing
from chatcore.realtime.presence import presence
from chatcore.realtime.sessions import LiveSession
from chatcore.realtime.tail import tail
from conversations import actions
from conversations.events import Typing
from tests.factories import make_conversation, make_key_principal, make_principal
from tests.until import until

pytestmark = pytest.mark.django_db(transaction=True)


class Client:
    """A session and its transport in one."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.ended = False
        self.session = LiveSession({"headers": []}, self, Outgoing(self.note, self.write, self.end))

    def note(self, frame: Any) -> str:
        self.heard.append((frame.type, frame.body.get("conversation")))
        return ""

    async def write(self, _: str) -> None: ...

    async def end(self) -> None:
        self.ended = True

    async def begin(self) -> None: ...

    revoked = end
    going_away = end

    def beat(self, now: float) -> None: ...


async def open_as(principal: Principal, monkeypatch: pytest.MonkeyPatch) -> Client:
    async def principal_of(*_: Any) -> Principal:
        return principal

    monkeypatch.setattr(sessions, "principal_of", principal_of)
    client = Client()
    await client.session.identify()
    await client.session.follow(client.session.own_feed(), None)
    return client


async def close(*clients: Client) -> None:
    for client in clients:
        client.session.close()
    await presence.stop()
    await tail.stop()
    await hub.stop()


def furnish() -> tuple[Principal, Principal, uuid.UUID, uuid.UUID]:
    owner = make_principal()
    key = make_key_principal(owner, "conversations:read", "messages:read")
    return owner, key, make_conversation(owner).id, make_conversation(owner).id


async def test_a_key_that_is_limited_to_one_conversation_hears_no_other_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner, key, kept, lost = await asyncio.to_thread(furnish)
    client = await open_as(key, monkeypatch)
    await client.session.subscribe(kept, "text")
    await client.session.subscribe(lost, "text")

    fewer = frozenset({f"conversations:read:{kept}", f"messages:read:{kept}"})
    await client.session.admit(dataclasses.replace(key, grants=fewer))
    client.heard.clear()
    for conversation in (lost, kept):
        await asyncio.to_thread(actions.post_message, owner, conversation, text="Hello", respond=False)
        body = signal(Typing(author="user:1", name="X", on=True), str(conversation))
        hub.publish([f"conversation.{conversation}"], body)
    await until(lambda: ("message.created", str(kept)) in client.heard)
    await until(lambda: ("typing", str(kept)) in client.heard)

    assert set(client.session.subscriptions) == {kept}
    assert all(conversation != str(lost) for _, conversation in client.heard)
    assert not client.ended
    await close(client)


async def test_one_connection_that_cannot_be_ended_is_no_reprieve_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, key, *_ = await asyncio.to_thread(furnish)
    stuck, next_one = await open_as(key, monkeypatch), await open_as(key, monkeypatch)

    async def fail() -> None:
        raise RuntimeError("stuck")

    async def nobody(_: Any) -> None:
        return None

    stuck.revoked = fail  # type: ignore[method-assign]
    monkeypatch.setattr(connections, "principal_of", nobody)
    await connections._recheck([stuck.session, next_one.session])
    assert next_one.ended
    await close(stuck, next_one)
