"""The worker's part: looks every few seconds what is due."""

import time

from django.utils import timezone

from chatcore.offload import offload
from chatcore.processes.rounds import Rounds
from external.schedules import running

LOOK_SECONDS = 5.0
FORGET_SECONDS = 3600.0


class ScheduleClock(Rounds):
    """A service: posts what is due, and forgets the records of long ago. Any number may run at a time."""

    name = "schedules"
    pause = LOOK_SECONDS

    def __init__(self) -> None:
        super().__init__()
        self._forgot_at = float("-inf")

    async def round(self) -> None:
        while await offload(running.run_due, timezone.now()) == running.BATCH:
            pass
        if time.monotonic() - self._forgot_at > FORGET_SECONDS:
            await offload(running.forget_runs, timezone.now())
            self._forgot_at = time.monotonic()
