"""The WebSocket's consumer, driven by hand: what is left when a connection ends in an unusual way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import OperationalError

from chatcore.realtime import connections, sessions
from chatcore.realtime.consumers import LiveConsumer
from chatcore.realtime.hub import hub
from chatcore.realtime.tail import tail
from tests.factories import make_principal

pytestmark = pytest.mark.django_db(transaction=True)


class Socket:
    """The server's half of a WebSocket: refuses what comes after its end, as uvicorn does."""

    def __init__(self, *frames: str) -> None:
        self.said: list[dict[str, Any]] = []
        self.code = 0
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        for frame in frames:
            self._incoming.put_nowait({"type": "websocket.receive", "text": frame})

    async def receive(self) -> dict[str, Any]:
        return await self._incoming.get()

    async def send(self, message: dict[str, Any]) -> None:
        if self.code:
            raise RuntimeError("after the end")
        if message["type"] == "websocket.close":
            self.code = message["code"]
            self._incoming.put_nowait({"type": "websocket.disconnect", "code": self.code})
        elif message["type"] == "websocket.send":
            self.said.append(json.loads(message["text"]))

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def run(self) -> None:
        scope = {"type": "websocket", "headers": [], "query_string": b""}
        async with asyncio.timeout(20):
            await LiveConsumer()(scope, self.receive, self.send)


@asynccontextmanager
async def somebody(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    principal = await asyncio.to_thread(make_principal)

    async def principal_of(*_: Any) -> Any:
        return principal

    monkeypatch.setattr(sessions, "principal_of", principal_of)
    yield
    assert not connections.open_sessions
    assert not hub.groups
    await tail.stop()
    await hub.stop()


async def test_a_burst_of_senseless_frames_ends_the_connection_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with somebody(monkeypatch):
        socket = Socket(*["no json"] * 10)
        await socket.run()
        assert socket.code == 4400
        assert [frame["type"] for frame in socket.said] == ["hello", "error", "error", "error"]


async def test_a_database_that_fails_in_the_opening_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away() -> str:
        raise OperationalError("away")

    async with somebody(monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(tail, "ensure", away)
            socket = Socket()
            await socket.run()
        assert socket.code == 1013


@pytest.mark.parametrize("data", [r'{"\ud800": 1}', r'{"state": "\ud800"}'])
async def test_whatever_a_frame_names_its_refusal_can_be_written(
    monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    async with somebody(monkeypatch):
        socket = Socket('{"type": "presence", "data": %s}' % data)  # noqa: UP031
        running = asyncio.create_task(socket.run())
        async with asyncio.timeout(20):
            while len(socket.said) < 2:
                await asyncio.sleep(0.01)
        socket.leave()
        await running
        json.dumps(socket.said, ensure_ascii=False).encode()


async def test_one_that_leaves_closes_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    async with somebody(monkeypatch):
        socket = Socket()
        socket.leave()
        await socket.run()
        assert not socket.code


@pytest.mark.usefixtures("standing_clock")
async def test_frames_are_paid_for_like_requests(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.RATE_LIMIT_KEY = 2
    async with somebody(monkeypatch):
        socket = Socket(*['{"type": "ping", "ref": "%d"}' % number for number in range(3)])  # noqa: UP031
        running = asyncio.create_task(socket.run())
        async with asyncio.timeout(20):
            while len(socket.said) < 4:
                await asyncio.sleep(0.01)
        socket.leave()
        await running
        assert [frame["type"] for frame in socket.said] == ["hello", "pong", "pong", "error"]
        assert socket.said[3]["data"]["code"] == "rate_limited"
        assert "instance" not in socket.said[3]["data"]
