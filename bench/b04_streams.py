"""B4: 200 replies at once, each of 200 chunks 10 ms apart, through one web and one worker process, and the same asked
of the model directly. Both are read by the same client, so that its own work counts on both sides.
"""

import asyncio
from functools import partial
from statistics import median

import aiohttp

from bench import asking, installation
from bench.asking import Crowd, all_at_once
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer

STREAMS, WARMING, ROUNDS = 200, 40, 3
MODEL = "stream-200x10"
GOAL_RATIO, GOAL_FIRST = 1.25, 250.0


def run() -> list[Figure]:
    with (
        installation.postgres(),
        installation.upstream() as address,
        RedisServer() as redis,
        Chatcore(redis_url=redis.url) as chatcore,
    ):
        installation.add_models(chatcore, "openai", address, {MODEL: MODEL})
        through, direct = asyncio.run(_measure(chatcore, address))
    total, plain = median(each.total for each in through), median(each.total for each in direct)
    first, at_once = (1000 * median(each.first for each in crowds) for crowds in (through, direct))
    ratio = total / plain
    return [
        Figure(
            "B4 200 streams, whole, p50",
            total,
            "s",
            plain,
            ratio,
            f"<= {GOAL_RATIO:g} x",
            ratio <= GOAL_RATIO,
        ),
        Figure(
            "B4 200 streams, first text, p50",
            first,
            "ms",
            at_once,
            first / at_once,
            f"<= {GOAL_FIRST:g} ms",
            first <= GOAL_FIRST,
        ),
    ]


async def _measure(chatcore: Chatcore, address: str) -> tuple[list[Crowd], list[Crowd]]:
    through, direct = [], []
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        asking.talking(chatcore.url, chatcore.key) as session,
        aiohttp.ClientSession(connector=connector) as plain,
    ):
        await _through(session, WARMING)
        for _ in range(ROUNDS):
            direct.append(await all_at_once([partial(asking.completion, plain, address, MODEL)] * STREAMS))
            through.append(await _through(session, STREAMS))
    return through, direct


async def _through(session: aiohttp.ClientSession, count: int) -> Crowd:
    """Conversations are begun beforehand; what is timed begins with the question."""
    begun = [await asking.conversation(session, MODEL) for _ in range(count)]
    return await all_at_once([partial(asking.reply, session, each) for each in begun])
