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

from bench.streams import Streamed


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


@asynccontextmanager
async def talking(url: str, key: str) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector, timeout=timeout) as session:
        yield session
