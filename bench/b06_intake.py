"""B6: single messages from outside, each committed with its queued reply, into one web process; against pgbench.

32 clients post as fast as they are answered, each into a thread of its own; then 100 a second come evenly.
"""

import asyncio
import itertools
import time
from statistics import quantiles

import aiohttp

from bench import installation, pgbench
from bench.asking import talking
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer

PATH = "/api/v1/intake/messages"
CLIENTS = pgbench.CLIENTS
WARM_UP, MESSAGES = 500, 3_000
EVEN_RATE, EVEN = 100, 1_000
GOAL_RATE, GOAL_SHARE, GOAL_MILLISECONDS = 350, 1 / 6, 60
SCRIPTS = {"echo": [{"text": "Seen."}]}
# The key of the benchmark posts more than one integration commonly may.
UNLIMITED = {
    "RATE_LIMIT_KEY": "10000000",
    "RATE_LIMIT_WORKSPACE": "10000000",
    "RATE_LIMIT_CONVERSATION": "0",
}


def run() -> list[Figure]:
    with (
        installation.postgres(),
        RedisServer() as redis,
        Chatcore(scripts=SCRIPTS, redis_url=redis.url, workers=0, environment=UNLIMITED) as chatcore,
    ):
        rate, even = asyncio.run(_measure(chatcore))
        stored = _stored(chatcore)
        alone = pgbench.transactions_per_second(chatcore)
    assert stored == WARM_UP + MESSAGES + EVEN, stored
    share = rate / alone
    p50, p99 = (quantiles(even, n=100)[percent - 1] * 1000 for percent in (50, 99))
    slow = f"<= {GOAL_MILLISECONDS} ms"
    return [
        Figure("B6 single messages", rate, "/s", None, None, f">= {GOAL_RATE}", rate >= GOAL_RATE),
        Figure("B6 … against pgbench", rate, "/s", alone, share, ">= 1/6 x", share >= GOAL_SHARE),
        Figure(f"B6 at {EVEN_RATE}/s, p50", p50, "ms", None, None, "", None),
        Figure(f"B6 at {EVEN_RATE}/s, p99", p99, "ms", None, None, slow, p99 <= GOAL_MILLISECONDS),
    ]


async def _measure(chatcore: Chatcore) -> tuple[float, list[float]]:
    """Messages a second, and the seconds each of those took that came evenly."""
    async with talking(chatcore.url, chatcore.key) as session:
        numbers = itertools.count()
        await _flood(session, numbers, WARM_UP)
        rate = MESSAGES / await _flood(session, numbers, MESSAGES)
        return rate, await _evenly(session, numbers)


async def _flood(session: aiohttp.ClientSession, numbers: "itertools.count[int]", messages: int) -> float:
    left = iter(range(messages))

    async def client(number: int) -> None:
        for _ in left:
            await _post(session, next(numbers), f"client-{number}")

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return time.perf_counter() - began


async def _evenly(session: aiohttp.ClientSession, numbers: "itertools.count[int]") -> list[float]:
    began = time.perf_counter()

    async def one(place: int) -> float:
        await asyncio.sleep(max(0, began + place / EVEN_RATE - time.perf_counter()))
        asked = time.perf_counter()
        await _post(session, next(numbers), f"client-{place % CLIENTS}")
        return time.perf_counter() - asked

    return list(await asyncio.gather(*(one(place) for place in range(EVEN))))


async def _post(session: aiohttp.ClientSession, number: int, thread: str) -> None:
    body = {
        "content": "Disk 93 % full on db-3",
        "external_id": f"alert-{number}",
        "conversation": {"thread": thread},
        "metadata": {"source": "prometheus"},
    }
    async with session.post(PATH, json=body) as response:
        answer = await response.text()
        assert response.status == 202, answer


def _stored(chatcore: Chatcore) -> int:
    with chatcore.connect() as connection:
        found = connection.execute(
            "select count(*) from external_intakemessage i join conversations_message m on m.parent_id = i.message_id "
            "where m.status = 'queued' and exists (select from procrastinate_jobs)"
        ).fetchone()
    assert found
    return int(found[0])
