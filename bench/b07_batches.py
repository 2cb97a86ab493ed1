"""B7: messages in batches of 100 (JSON) and 1,000 (NDJSON), each with its queued reply, into one web process."""

import asyncio
import itertools
import json
import time

import aiohttp

from bench import installation
from bench.asking import talking
from bench.b06_intake import SCRIPTS, UNLIMITED
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer

PATH = "/api/v1/intake/batches"
NDJSON = {"Content-Type": "application/x-ndjson"}
CLIENTS = 4
MESSAGES, WARM_UP = 20_000, 2_000
GOAL = 4_000


def run() -> list[Figure]:
    with (
        installation.postgres(),
        RedisServer() as redis,
        Chatcore(scripts=SCRIPTS, redis_url=redis.url, workers=0, environment=UNLIMITED) as chatcore,
    ):
        rates = asyncio.run(_measure(chatcore))
    return [
        Figure(f"B7 in batches of {size:,}", rate, "/s", None, None, f">= {GOAL:,}", rate >= GOAL)
        for size, rate in rates.items()
    ]


async def _measure(chatcore: Chatcore) -> dict[int, float]:
    rates = {}
    async with talking(chatcore.url, chatcore.key) as session:
        numbers = itertools.count()
        for size in (100, 1_000):
            await _flood(session, numbers, WARM_UP, size)
            rates[size] = MESSAGES / await _flood(session, numbers, MESSAGES, size)
    return rates


async def _flood(
    session: aiohttp.ClientSession, numbers: "itertools.count[int]", messages: int, size: int
) -> float:
    left = iter(range(messages // size))

    async def client(number: int) -> None:
        for _ in left:
            await _post(session, [_message(next(numbers), number) for _ in range(size)])

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return time.perf_counter() - began


def _message(number: int, client: int) -> dict[str, object]:
    return {
        "content": "Disk 93 % full on db-3",
        "external_id": f"alert-{number}",
        "conversation": {"thread": f"client-{client}-{number % 10}"},
        "metadata": {"source": "prometheus"},
    }


async def _post(session: aiohttp.ClientSession, items: list[dict[str, object]]) -> None:
    if len(items) > 100:
        lines = "\n".join(json.dumps(item) for item in items)
        asking = session.post(PATH, data=lines, headers=NDJSON)
    else:
        asking = session.post(PATH, json={"items": items})
    async with asking as response:
        assert response.status == 200, await response.text()
        answer = await response.json()
        assert answer["accepted"] == len(items), answer["results"][:1]
