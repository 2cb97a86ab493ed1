"""Replies that are followed as they are written, over plain connections that are kept.

They look for words in what comes and read nothing else, some microseconds a piece: what is measured is the server.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

FIRST_WORDS = b'"content": " word'  # not the empty content with which a stream may begin
FIRST_DELTA, COMPLETED, DONE = b"event: reply.delta", b"event: reply.completed", b"[DONE]"
LAST_CHUNK = b"\r\n0\r\n\r\n"
TAIL = max(map(len, (FIRST_WORDS, FIRST_DELTA, COMPLETED, DONE, LAST_CHUNK))) - 1
LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Streamed:
    """Seconds from asking, of one stream."""

    first: float
    total: float


class Streams:
    """Asks one server. Raises AssertionError where it refuses, leaves, or does not come to an end."""

    def __init__(self, url: str, key: str = "") -> None:
        address = urlsplit(url)
        self._where = address.hostname, address.port
        self._head = (
            f"Host: {address.netloc}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
            + (f"Authorization: Bearer {key}\r\n" if key else "")
        )
        self._idle: list[_Wire] = []

    async def reply(self, conversation_id: str) -> Streamed:
        """One question, and its reply as server-sent events."""
        path = f"/api/v1/conversations/{conversation_id}/replies"
        return await self._followed(path, {"content": "Count."}, FIRST_DELTA, COMPLETED)

    async def completion(self, model: str) -> Streamed:
        """The same as OpenAI's clients ask for it: of Chatcore, or of the provider itself."""
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Count."}]}
        return await self._followed("/v1/chat/completions", body, FIRST_WORDS, DONE)

    async def _followed(self, path: str, body: Any, first: bytes, last: bytes) -> Streamed:
        began = time.perf_counter()
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n"
        wire = self._idle.pop() if self._idle else await self._connected()
        wire.send(head.encode() + content)
        async with asyncio.timeout(LONGEST_SECONDS):
            await wire.hear(first)
            heard = time.perf_counter() - began
            await wire.hear(last)
            await wire.hear(LAST_CHUNK)
        self._idle.append(wire)
        return Streamed(heard, time.perf_counter() - began)

    async def _connected(self) -> "_Wire":
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(lambda: _Wire(loop), *self._where)
        return wire

    def close(self) -> None:
        for wire in self._idle:
            wire.close()


class _Wire(asyncio.Protocol):
    """A connection, and what has come that no word was found in yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._begins = True
        self._rest = self._word = b""
        self._heard: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> None:
        self._begins, self._rest = True, b""
        self._transport.write(request)

    async def hear(self, word: bytes) -> None:
        self._word, self._heard = word, self._loop.create_future()
        self.data_received(b"")
        await self._heard

    def data_received(self, data: bytes) -> None:
        rest = self._rest + data
        if self._begins and data:
            self._begins = False
            if not data.startswith(b"HTTP/1.1 200"):
                self._fail(data)
        place = -1 if self._heard.done() else rest.find(self._word)
        if place >= 0:
            self._heard.set_result(None)
            self._rest = rest[place:]
        else:
            self._rest = rest if self._heard.done() else rest[-TAIL:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc)

    def close(self) -> None:
        self._transport.close()

    def _fail(self, why: object) -> None:
        if not self._heard.done():
            self._heard.set_exception(AssertionError(f"{self._word!r} was not heard: {why!r}"))
