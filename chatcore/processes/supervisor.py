"""Runs the parts of a process in one event loop, and stops them one after the other on a signal."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

import uvloop

logger = logging.getLogger(__name__)

FORCED_EXIT_CODE = 130
PART_SECONDS = 12.0
YOUNG_OBJECTS = 20_000  # more since the last look for cycles bring the next one; Python would look after 700


class Part(Protocol):
    """Something that runs until told to stop."""

    async def run(self) -> None:
        """Returns after `stop`; returning or raising before that ends the whole process."""

    async def stop(self) -> None: ...


class PartFailedError(Exception):
    """A part ended though nobody told it to."""


def supervise(make_parts: Callable[[], Sequence[Part]], abandon: Callable[[], None] = lambda: None) -> None:
    """Run the parts until SIGINT or SIGTERM, then stop them in the order given, each when the one before ended.

    A second SIGINT calls `abandon` and ends the process at once.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_supervise(make_parts, abandon))


async def _supervise(make_parts: Callable[[], Sequence[Part]], abandon: Callable[[], None]) -> None:
    stopping = _on_signals(abandon)
    parts = make_parts()
    # A look for garbage stops everything: up to 0.1 s through what is loaded and stays, and 30 ms in the middle of a
    # crowd. What is no cycle goes without it.
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    tasks = [asyncio.create_task(part.run(), name=type(part).__name__) for part in parts]
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in tasks if task.done()]
    waiting.cancel()
    for part, task in zip(parts, tasks, strict=True):
        await _end(part, task)
    if failed:
        error = failed[0].exception()
        raise PartFailedError(f"{failed[0].get_name()} ended: {error or 'without a reason'}") from error


async def _end(part: Part, task: asyncio.Task[None]) -> None:
    await part.stop()
    await asyncio.wait([task], timeout=PART_SECONDS)
    if not task.done():
        logger.error("%s does not end by itself and is cut off", task.get_name())
        task.cancel()
        await asyncio.wait([task], timeout=1)
    elif error := task.exception():
        logger.error("%s ended by an error", task.get_name(), exc_info=error)


def _on_signals(abandon: Callable[[], None]) -> asyncio.Event:
    """The event that either signal sets. Only Ctrl-C counts twice: process managers may repeat SIGTERM."""
    stopping = asyncio.Event()

    def interrupt() -> None:
        if stopping.is_set():
            abandon()
            os._exit(FORCED_EXIT_CODE)
        stopping.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    return stopping
