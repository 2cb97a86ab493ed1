"""B5: processor time of a streamed chunk in the worker, on the native path and through LiteLLM, from the same upstream.

Both are whole replies in a real worker: read, published to the web process over Redis, saved twice a second; LiteLLM's
child process counts as the worker's. Ten replies run at a time, a chunk every 10 ms each, which is what LiteLLM can
do; all in is the native path with a hundred: ten thousand chunks a second, in which what a worker does anyway each
second does not show. The cost of a chunk is what longer streams cost more than shorter ones, so that starting and
ending a reply do not count.
"""

import asyncio
from statistics import median
from typing import TypeAlias

import aiohttp

from bench import installation, trees
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer

REPLIES, MANY = 10, 100
SHORT, LONG = 100, 300  # chunks; at 10 ms each
ROUNDS = 3
KINDS = {"openai": {}, "litellm": {"vendor": "openai"}}
SETTLE_SECONDS = 0.5
Case: TypeAlias = tuple[str, int]  # a kind of provider, and how many replies at a time
CASES: tuple[Case, Case, Case] = (("openai", REPLIES), ("litellm", REPLIES), ("openai", MANY))
GOAL_RATIO, GOAL_MICROSECONDS = 1 / 8, 40.0


def run() -> list[Figure]:
    with (
        installation.postgres(),
        installation.upstream() as address,
        RedisServer() as redis,
        Chatcore(redis_url=redis.url) as chatcore,
    ):
        for kind, options in KINDS.items():
            names = {f"{kind}-{chunks}": f"stream-{chunks}x10" for chunks in (SHORT, LONG)}
            installation.add_models(chatcore, kind, address, names, **options)
        costs = asyncio.run(_measure(chatcore))
    native, litellm, many = (median(costs[case]) for case in CASES)
    ratio = native / litellm
    goal = f"<= {GOAL_MICROSECONDS:g} us"
    return [
        Figure("B5 CPU per chunk, native", native, "us", litellm, ratio, "<= 1/8 x", ratio <= GOAL_RATIO),
        Figure("B5 CPU per chunk, all in", many, "us", None, None, goal, many <= GOAL_MICROSECONDS),
    ]


async def _measure(chatcore: Chatcore) -> dict[Case, list[float]]:
    """Microseconds a chunk, by case and round."""
    costs: dict[Case, list[float]] = {case: [] for case in CASES}
    headers = {"Authorization": f"Bearer {chatcore.key}", "Prefer": "wait=25"}
    async with aiohttp.ClientSession(chatcore.url, headers=headers) as session:
        for kind, replies in CASES:
            await _replies(session, f"{kind}-{SHORT}", replies)  # starts LiteLLM, opens connections
        for _ in range(ROUNDS):
            for (kind, replies), taken in costs.items():
                short = await _cost(chatcore, session, f"{kind}-{SHORT}", replies)
                long = await _cost(chatcore, session, f"{kind}-{LONG}", replies)
                taken.append((long - short) / (replies * (LONG - SHORT)) * 1_000_000)
    return costs


async def _cost(chatcore: Chatcore, session: aiohttp.ClientSession, model: str, replies: int) -> float:
    """Processor seconds of the worker while it makes the replies."""
    worker = chatcore.processes["worker0"].pid
    before = trees.processor_seconds(worker)
    await _replies(session, model, replies)
    await asyncio.sleep(SETTLE_SECONDS)
    return trees.processor_seconds(worker) - before


async def _replies(session: aiohttp.ClientSession, model: str, replies: int) -> None:
    await asyncio.gather(*(_reply(session, model) for _ in range(replies)))


async def _reply(session: aiohttp.ClientSession, model: str) -> None:
    wishes = {"model": model, "title": "Measured"}
    async with session.post("/api/v1/conversations/", json=wishes) as response:
        conversation = (await response.json())["id"]
    path = f"/api/v1/conversations/{conversation}/replies"
    async with session.post(path, json={"content": "Count."}) as response:
        answer = await response.json()
    assert response.status == 200, answer
    assert answer["reply"]["status"] == "done", answer
