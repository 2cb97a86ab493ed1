"""What every worker does for the queue as a whole, beside its own jobs."""

import asyncio
import logging
import time

from chatcore import jobs
from chatcore.offload import offload

logger = logging.getLogger(__name__)

RESCUE_SECONDS = 2.0
REMOVE_SECONDS = 600.0


class Housekeeping:
    """A service: rescues the jobs of dead workers, removes those that ended long ago."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self, grace: float) -> None:  # noqa: ARG002 (nothing of it needs time)
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        removed_at = float("-inf")
        while True:
            try:
                await offload(jobs.rescue_orphans)
                if time.monotonic() - removed_at > REMOVE_SECONDS:
                    await offload(jobs.remove_finished)
                    removed_at = time.monotonic()
            except Exception as error:
                logger.warning("the queue could not be tended, trying again: %s", error)
            await asyncio.sleep(RESCUE_SECONDS)
