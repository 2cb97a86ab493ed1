"""Many replies at once over the API, each followed as it is written."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

import aiohttp
import uvloop

FIRST_WORDS = b'"content": " word'  # not the empty content with which a stream may begin
STREAMED = {"Accept": "text/event-stream"}


@dataclass(frozen=True)
class Streamed:
    """Seconds from asking, of one stream."""

    first: float
    total: float


@dataclass(frozen=True)
class Crowd:
    """What many streams took that were asked for at the same moment, in seconds."""

    first: float  # until the first text, median
    total: float  # until the end, median
    wall: float  # until everybody's end


Ask = Callable[[], Awaitable[Streamed]]
T = TypeVar("T")


def run(measuring: Coroutine[Any, Any, T]) -> T:
    """In a loop that costs little beside the servers that are measured."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measuring)


async def all_at_once(asks: list[Ask]) -> Crowd:
    began = time.perf_counter()
    streams = await asyncio.gather(*(ask() for ask in asks))
    wall = time.perf_counter() - began
    return Crowd(median(each.first for each in streams), median(each.total for each in streams), wall)


async def conversation(session: aiohttp.ClientSession, model: str) -> str:
    wishes = {"model": model, "title": "Measured"}
    async with session.post("/api/v1/conversations/", json=wishes) as response:
        assert response.status == 201, await response.text()
        return str((await response.json())["id"])


async def reply(session: aiohttp.ClientSession, conversation_id: str) -> Streamed:
    """One question, and its reply as server-sent events."""
    path = f"/api/v1/conversations/{conversation_id}/replies"
    began = time.perf_counter()
    async with session.post(path, json={"content": "Count."}, headers=STREAMED) as response:
        return await _read(response, began, b"event: reply.delta", b"event: reply.completed")


async def completion(session: aiohttp.ClientSession, address: str, model: str) -> Streamed:
    """The same as OpenAI's clients ask for it: of the provider itself, or without an address of Chatcore."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Count."}]}
    began = time.perf_counter()
    async with session.post(f"{address}/v1/chat/completions", json=body) as response:
        return await _read(response, began, FIRST_WORDS, b"[DONE]")


async def _read(response: aiohttp.ClientResponse, began: float, first: bytes, last: bytes) -> Streamed:
    assert response.status == 200, await response.text()
    heard, has_ended, rest = 0.0, False, b""
    async for piece in response.content.iter_any():
        rest = rest[-len(last) :] + piece
        if not heard and first in rest:
            heard = time.perf_counter() - began
        has_ended = has_ended or last in rest
    assert heard, "nothing was said"
    assert has_ended, "it did not come to its end"
    return Streamed(heard, time.perf_counter() - began)


@asynccontextmanager
async def talking(url: str, key: str) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector, timeout=timeout) as session:
        yield session
