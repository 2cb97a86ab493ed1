"""B15: 100 replies at once, as fast as the model says them, made by two workers and by one.

Where a machine has fewer cores than processes at work (two workers, web, model, Postgres, client), a second worker has
nothing to run on, and the figure only informs.
"""

import os
from functools import partial
from statistics import median

from bench import asking, installation
from bench.asking import all_at_once
from bench.figure import Figure
from bench.streams import Streams
from tests.running import Chatcore
from tests.servers import RedisServer

REPLIES, ROUNDS = 100, 3
MODEL = "stream-400x0"
GOAL, CORES = 1.8, 6


def run() -> list[Figure]:
    with installation.postgres(), installation.upstream() as address:
        one, two = (_seconds(workers, address) for workers in (1, 2))
    ratio = one / two
    met = ratio >= GOAL if (os.cpu_count() or 1) >= CORES else None
    return [Figure("B15 100 replies by two workers, faster by", two, "s", one, ratio, f">= {GOAL:g} x", met)]


def _seconds(workers: int, address: str) -> float:
    with RedisServer() as redis, Chatcore(redis_url=redis.url, workers=workers) as chatcore:
        installation.add_models(chatcore, "openai", address, {MODEL: MODEL})
        return asking.run(_measure(chatcore))


async def _measure(chatcore: Chatcore) -> float:
    taken, streams = [], Streams(chatcore.url, chatcore.key)
    async with asking.talking(chatcore.url, chatcore.key) as session:
        for _ in range(1 + ROUNDS):
            begun = [await asking.conversation(session, MODEL) for _ in range(REPLIES)]
            crowd = await all_at_once([partial(streams.reply, each) for each in begun])
            taken.append(crowd.wall)
    streams.close()
    return median(taken[1:])
