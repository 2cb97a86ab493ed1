"""The worker: services of the apps above, and between their start and stop the job loop, started again when it fails.

An app that does more than single jobs registers a service in its `AppConfig.ready()`.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from chatcore.processes.housekeeping import Housekeeping
from chatcore.processes.job_loop import JobLoop

logger = logging.getLogger(__name__)

GRACE_SECONDS = 3.0
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 3.0
STEADY_SECONDS = 30.0


class Service(Protocol):
    """Work beside the jobs. Started before jobs are taken, stopped when no more are."""

    async def start(self) -> None: ...

    async def stop(self, grace: float) -> None:
        """Finish within `grace` seconds; what is left then must be safe to do again elsewhere."""


_factories: list[Callable[[], Service]] = [Housekeeping]


def register_service(factory: Callable[[], Service]) -> None:
    """Have a service of this kind in every worker process."""
    _factories.append(factory)


class Worker:
    """A part of a process: works until told to stop. `announce` is called once its services have started."""

    def __init__(self, concurrency: int, announce: Callable[[], None] = lambda: None) -> None:
        self._concurrency = concurrency
        self._announce = announce
        self._stopping = asyncio.Event()
        self._loop: JobLoop | None = None

    async def run(self) -> None:
        services = [factory() for factory in _factories]
        started: list[Service] = []
        try:
            for service in services:
                await service.start()
                started.append(service)
            self._announce()
            await self._supervise()
        finally:
            for service in reversed(started):
                await _stop(service)

    async def stop(self) -> None:
        """Take no more jobs; `run` returns when those at work have ended or their grace is over."""
        self._stopping.set()
        if self._loop:
            self._loop.stop()

    async def _supervise(self) -> None:
        delay = FIRST_DELAY_SECONDS
        while not self._stopping.is_set():
            self._loop = JobLoop(self._concurrency, GRACE_SECONDS)
            began = time.monotonic()
            reason = await self._ended(self._loop)
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            logger.error("the job loop ended (%s); starting it again in %.1f s", reason, delay)
            await self._pause(delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    async def _ended(self, loop: JobLoop) -> str:
        try:
            await loop.run()
        except Exception as error:
            logger.debug("job loop", exc_info=error)
            return f"{type(error).__name__}: {error}".strip().splitlines()[0]
        return "one of its helpers failed"

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


async def _stop(service: Service) -> None:
    try:
        await asyncio.wait_for(service.stop(GRACE_SECONDS), GRACE_SECONDS + 1)
    except Exception:
        logger.exception("%s did not stop in order", type(service).__name__)
