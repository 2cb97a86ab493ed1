"""The worker's part: looks every few seconds what is due."""

import asyncio
import logging
import time

from django.utils import timezone

from chatcore.offload import offload
from external.schedules import running

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
FORGET_SECONDS = 3600.0


class ScheduleClock:
    """A service: posts what is due, and forgets the records of long ago. Any number may run at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="schedules")

    async def stop(self, grace: float) -> None:  # noqa: ARG002 (nothing of it needs time)
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        forgot_at = float("-inf")
        while True:
            try:
                found = await offload(running.run_due, timezone.now())
                if found == running.BATCH:
                    continue
                if time.monotonic() - forgot_at > FORGET_SECONDS:
                    await offload(running.forget_runs, timezone.now())
                    forgot_at = time.monotonic()
            except Exception as error:
                logger.warning("what is due could not be looked up, trying again: %s", error)
            await asyncio.sleep(LOOK_SECONDS)
