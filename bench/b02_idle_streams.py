"""B2: what an idle event stream costs one web process, at 10,000 of them; and one event to all.

Memory is the process's own (unique set size), before and after, each settled; what the kernel holds for a connection
is not in it. A thousand streams have come and gone before.
"""

import asyncio
import time
from statistics import median, quantiles

import psutil  # type: ignore[import-untyped]

from bench import installation
from bench.b01_watchers import publish_through, to_user, until_all_have_it
from bench.crowd import Crowd, crowd, raise_file_limit
from bench.figure import Figure
from chatcore.realtime.hub import hub
from tests.running import Chatcore
from tests.servers import RedisServer
from tests.wire import SSE, request

STREAMS, WARM_UP = 10_000, 1_000
SETTLE_SECONDS = 2.0
ROUNDS, WARM_UP_ROUNDS = 6, 2
PAUSE_SECONDS = 0.5
GOAL_KILOBYTES, GOAL_MILLISECONDS = 25.0, 400.0


def run() -> list[Figure]:
    raise_file_limit()
    with (
        installation.postgres(),
        RedisServer() as redis,
        Chatcore(redis_url=redis.url, workers=0) as chatcore,
        crowd() as people,
    ):
        address = ("127.0.0.1", chatcore.ports[0])
        wish = request(SSE, address, "/events/", chatcore.key)
        server = psutil.Process(chatcore.processes["web0"].pid)
        publish_through(redis)
        people.open(address, wish, "event: hello", WARM_UP)
        asyncio.run(_events(people, chatcore, 1))
        people.close(politely=False)
        before = _settled(server)
        seconds = people.open(address, wish, "event: hello", STREAMS)
        after = _settled(server)
        rounds = asyncio.run(_events(people, chatcore, WARM_UP_ROUNDS + ROUNDS))[WARM_UP_ROUNDS:]
        used = _settled(server)
    each = (after - before) / STREAMS / 1000
    each_used = (used - before) / STREAMS / 1000
    p50, p99 = (
        median(quantiles(milliseconds, n=100)[percent - 1] for milliseconds in rounds) for percent in (50, 99)
    )
    limit = f"<= {GOAL_KILOBYTES:g} KB"
    title = f"{STREAMS:,} streams"
    return [
        Figure("B2 memory of an idle stream", each, "KB", None, None, limit, each <= GOAL_KILOBYTES),
        Figure("B2 … after it was sent events", each_used, "KB", None, None, "", None),
        Figure(f"B2 opening {title}", seconds, "s", None, None, "", None),
        Figure(f"B2 one event to {title}, p50", p50, "ms", None, None, "", None),
        Figure(
            f"B2 one event to {title}, p99",
            p99,
            "ms",
            None,
            None,
            f"<= {GOAL_MILLISECONDS:g} ms",
            p99 <= GOAL_MILLISECONDS,
        ),
    ]


def _settled(process: psutil.Process) -> int:
    time.sleep(SETTLE_SECONDS)
    full = process.memory_full_info()
    unique: int = full.uss
    return unique


async def _events(people: Crowd, chatcore: Chatcore, rounds: int) -> list[list[float]]:
    await hub.start()
    publish = await asyncio.to_thread(to_user, chatcore)
    taken = []
    for _ in range(rounds):
        await asyncio.sleep(PAUSE_SECONDS)
        taken.append(await until_all_have_it(people, publish))
    await hub.stop()
    return taken
