"""Process trees: what a process and everything it has started use of memory and processor time."""

import asyncio
from collections.abc import Collection

import psutil  # type: ignore[import-untyped]

MEGABYTE = 1_000_000
LOOK_SECONDS, REST_SHARE, LONGEST_LOOKS = 0.5, 0.06, 60


def members(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def memory(pid: int) -> float:
    """Megabytes: proportional set size (pages that several processes share count once) where the system tells it,
    else resident set size."""
    total = 0
    for process in members(pid):
        full = process.memory_full_info()
        total += getattr(full, "pss", full.rss)
    return total / MEGABYTE


def processor_seconds(pid: int) -> float:
    """User and system time of the living members, in steps of 10 ms for each."""
    return sum(sum(process.cpu_times()[:2]) for process in members(pid))


async def at_rest(pids: Collection[int]) -> None:
    """Once all of them together leave the processor alone, what came before being done; after half a minute anyway."""
    for _ in range(LONGEST_LOOKS):
        before = sum(map(processor_seconds, pids))
        await asyncio.sleep(LOOK_SECONDS)
        if sum(map(processor_seconds, pids)) - before <= REST_SHARE * LOOK_SECONDS:
            return
