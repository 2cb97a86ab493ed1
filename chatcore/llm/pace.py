"""The clock by which a process reads the models that answer, and tells what they said: what is done together costs one
waking for many. Nobody can read what comes faster.
"""

import asyncio
import weakref

TICK_MILLISECONDS = 40
STREAMS_AT_ONCE = 50  # for each so many that grow at once, the clock is slower by its first pace
LONGEST_MILLISECONDS = 200
LONGEST_READING_MILLISECONDS = 100  # the end of an answer is noticed when it is read

_growing: "weakref.WeakSet[object]" = weakref.WeakSet()


def join(stream: object) -> None:
    """It grows from now on, until it leaves."""
    _growing.add(stream)


def leave(stream: object) -> None:
    """Safe to repeat."""
    _growing.discard(stream)


def next_tick(now: float, longest: int = LONGEST_MILLISECONDS) -> float:
    """The time of the event loop at which it ticks next, in whole milliseconds so that no tick is its own next one."""
    interval = min(TICK_MILLISECONDS * (1 + len(_growing) // STREAMS_AT_ONCE), longest)
    return (round(now * 1000) // interval + 1) * interval / 1000


async def tick() -> None:
    """Wait until it is time to read again."""
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(next_tick(now, LONGEST_READING_MILLISECONDS) - now)
