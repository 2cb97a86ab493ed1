"""B3: from the POST of a message to the first delta at a watcher, with a model that answers without delay.

The watcher's WebSocket is subscribed before, as an open page is; where there are two web processes, it is connected to
the one that does not take the message. Client and upstream are processes of their own. Both forms of an installation
and the direct call to the upstream take turns within one run, on a durable Postgres.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from statistics import median, quantiles

import aiohttp

from bench import installation
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer

ROUNDS, WARM_UP_ROUNDS = 20, 3
PER_ROUND = 10  # messages in one conversation: its history stays as short as most are
PAUSE_SECONDS = 0.03  # a person's; long enough that the reply before has been put away
MODEL = "stream-20x0"
GOALS = {50: 60.0, 99: 150.0}
TITLES = {"two": "from one web process to another", "one": "one process"}


def run() -> list[Figure]:
    with (
        installation.postgres(),
        installation.upstream() as address,
        RedisServer() as redis,
        Chatcore(redis_url=redis.url, webs=2) as two,
        Chatcore() as one,
    ):
        for chatcore in (two, one):
            installation.add_models(chatcore, "openai", address, {MODEL: MODEL})
        samples = asyncio.run(_measure(two, one, address))
    direct = median(samples["direct"])
    return [
        _figure(f"B3 first delta, {title}", samples[form], percent, direct)
        for form, title in TITLES.items()
        for percent in GOALS
    ]


def _figure(title: str, samples: list[float], percent: int, direct: float) -> Figure:
    value = quantiles(samples, n=100)[percent - 1]
    goal = GOALS[percent]
    return Figure(
        f"{title}, p{percent}", value, "ms", direct, value / direct, f"<= {goal:g} ms", value <= goal
    )


async def _measure(two: Chatcore, one: Chatcore, address: str) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {"direct": [], "two": [], "one": []}
    async with AsyncExitStack() as stack:
        watchers = {
            "two": await stack.enter_async_context(Watcher(two)),
            "one": await stack.enter_async_context(Watcher(one)),
        }
        upstream = await stack.enter_async_context(aiohttp.ClientSession())
        rounds: dict[str, Callable[[], Awaitable[list[float]]]] = {
            "direct": partial(_direct, upstream, address),
            **{form: watcher.conversation for form, watcher in watchers.items()},
        }
        for number in range(WARM_UP_ROUNDS + ROUNDS):
            for name, measure in rounds.items():
                taken = await measure()
                if number >= WARM_UP_ROUNDS:
                    samples[name] += taken
    return samples


class Watcher:
    """A client of one installation: an open WebSocket, and requests beside it, to the other process if there is one."""

    def __init__(self, chatcore: Chatcore) -> None:
        self._url, self._watched = chatcore.urls[0], chatcore.urls[-1]
        self._headers = {"Authorization": f"Bearer {chatcore.key}"}

    async def __aenter__(self) -> "Watcher":
        self._session = aiohttp.ClientSession(self._url, headers=self._headers)
        self._socket = await self._session.ws_connect(f"{self._watched}/ws/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._session.close()

    async def conversation(self) -> list[float]:
        """Milliseconds to the first delta of each reply in a new conversation."""
        wishes = {"model": MODEL, "title": "Measured"}
        async with self._session.post("/api/v1/conversations/", json=wishes) as response:
            conversation = (await response.json())["id"]
        await self._socket.send_json({"type": "subscribe", "data": {"conversation": conversation}})
        await self._until("subscribed")
        taken = [await self._first_delta(conversation) for _ in range(PER_ROUND)]
        await self._socket.send_json({"type": "unsubscribe", "data": {"conversation": conversation}})
        await self._until("unsubscribed")
        return taken

    async def _first_delta(self, conversation: str) -> float:
        await asyncio.sleep(PAUSE_SECONDS)
        begin = time.perf_counter()
        posting = asyncio.create_task(self._post(conversation))
        await self._until("reply.delta")
        taken = time.perf_counter() - begin
        await self._until("reply.completed")
        await posting
        return taken * 1000

    async def _post(self, conversation: str) -> None:
        path = f"/api/v1/conversations/{conversation}/replies"
        async with self._session.post(path, json={"content": "Are you there?"}) as response:
            assert response.status == 202, await response.text()

    async def _until(self, kind: str) -> None:
        async with asyncio.timeout(30):
            while (await self._socket.receive_json())["type"] != kind:
                pass


async def _direct(session: aiohttp.ClientSession, address: str) -> list[float]:
    """Milliseconds to the first text of the upstream itself, over a connection that is open."""
    return [await _first_chunk(session, f"{address}/v1/chat/completions") for _ in range(PER_ROUND)]


async def _first_chunk(session: aiohttp.ClientSession, url: str) -> float:
    await asyncio.sleep(PAUSE_SECONDS)
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Are you there?"}]}
    begin = time.perf_counter()
    async with session.post(url, json=body) as response:
        async for line in response.content:
            if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                taken = time.perf_counter() - begin
                break
        await response.read()
    return taken * 1000
