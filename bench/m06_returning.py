"""Must hold 6: rounds of 5,000 event streams and 1,000 WebSockets that come and go leave nothing in the web process.

The server runs in this process, so that its tasks, groups and sessions can be counted; the clients in another. Memory
is the process's own (unique set size). After a warm-up round, the third may end at most 5 % above the first.
"""

import asyncio
import gc

import psutil  # type: ignore[import-untyped]

from bench import inside
from bench.crowd import Crowd, crowd, raise_file_limit
from bench.figure import Figure
from chatcore.accounts.bootstrap import ensure
from chatcore.realtime.connections import open_sessions
from chatcore.realtime.hub import hub
from tests.serving import serving
from tests.wire import SSE, WEBSOCKET, request

STREAMS, SOCKETS = 5_000, 1_000
ROUNDS = 3
GREETING = '"cursor":'
GOAL = 1.05
SETTLE_SECONDS = 2.0


def run() -> list[Figure]:
    raise_file_limit()
    with inside.database(), crowd() as people:
        key = ensure("owner@example.com", None, "Home", "bench").key_text
        assert key
        memory, left = asyncio.run(_measure(people, key))
    first, *_, last = memory[1:]
    ratio = last / first
    return [
        Figure(
            "must hold 6, memory after round 3", last, "MB", first, ratio, f"<= {GOAL:g} x", ratio <= GOAL
        ),
        Figure("must hold 6, sessions, tasks and groups left", left, "", None, None, "0", left == 0),
    ]


async def _measure(people: Crowd, key: str) -> tuple[list[float], int]:
    """Megabytes after each round, the warm-up first; and what is there more than after the warm-up."""
    async with serving() as address:
        memory, things = [], []
        for _ in range(1 + ROUNDS):
            await asyncio.to_thread(_come_and_go, people, address, key)
            memory.append(await _settled())
            things.append(len(open_sessions) + len(hub.groups) + len(asyncio.all_tasks()))
    return memory, max(things[1:]) - things[0]


def _come_and_go(people: Crowd, address: tuple[str, int], key: str) -> None:
    """Half the time as a network that fails."""
    for kind, path, count in ((SSE, "/events/", STREAMS), (WEBSOCKET, "/ws/", SOCKETS)):
        for politely in (False, kind is WEBSOCKET):
            people.open(address, request(kind, address, path, key), GREETING, count // 2)
            people.close(politely=politely)


async def _settled() -> float:
    async with asyncio.timeout(30):
        while open_sessions or hub.groups:
            await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLE_SECONDS)
    gc.collect()
    memory: float = psutil.Process().memory_full_info().uss / 1_000_000
    return memory
