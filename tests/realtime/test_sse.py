"""The event stream, driven by hand: what is refused, and what fails behind its beginning."""

import asyncio
import uuid
from typing import Any

import pytest
from django.db import OperationalError

from chatcore.realtime import connections, sessions
from chatcore.realtime.hub import hub
from chatcore.realtime.presence import presence
from chatcore.realtime.sessions import MAX_SUBSCRIPTIONS, LiveSession
from chatcore.realtime.sse import event_stream
from chatcore.realtime.tail import tail
from tests.factories import make_conversation, make_principal

pytestmark = pytest.mark.django_db(transaction=True)


async def stream(query: str, monkeypatch: pytest.MonkeyPatch, owner: Any) -> list[dict[str, Any]]:
    """All that was sent until the stream ended by itself."""
    sent: list[dict[str, Any]] = []

    async def principal_of(*_: Any) -> Any:
        return owner

    async def send(message: Any) -> None:
        sent.append(message)

    monkeypatch.setattr(sessions, "principal_of", principal_of)
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": query.encode()}
    async with asyncio.timeout(20):
        await event_stream(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]
    assert not connections.open_sessions
    await presence.stop()
    await tail.stop()
    await hub.stop()
    return sent


async def test_more_conversations_than_a_connection_holds_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = await asyncio.to_thread(make_principal)
    query = "&".join(f"conversation={uuid.uuid4()}" for _ in range(MAX_SUBSCRIPTIONS + 1))
    (start, _) = await stream(query, monkeypatch, owner)
    assert start["status"] == 422


async def test_a_database_that_fails_behind_the_beginning_ends_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: Any) -> None:
        raise OperationalError("away")

    def furnish() -> tuple[Any, uuid.UUID]:
        owner = make_principal()
        return owner, make_conversation(owner).id

    owner, conversation = await asyncio.to_thread(furnish)
    monkeypatch.setattr(LiveSession, "subscribe", away)
    sent = await stream(f"conversation={conversation}", monkeypatch, owner)
    assert sent[0]["status"] == 200
    assert sent[-1] == {"type": "http.response.body", "body": b""}
