"""What every worker does for the queue as a whole, beside its own jobs."""

import time

from chatcore import jobs
from chatcore.offload import offload
from chatcore.processes.rounds import Rounds

RESCUE_SECONDS = 2.0
REMOVE_SECONDS = 600.0


class Housekeeping(Rounds):
    """A service: rescues the jobs of dead workers, removes those that ended long ago."""

    name = "housekeeping"
    pause = RESCUE_SECONDS

    def __init__(self) -> None:
        super().__init__()
        self._removed_at = float("-inf")

    async def round(self) -> None:
        await offload(jobs.rescue_orphans)
        if time.monotonic() - self._removed_at > REMOVE_SECONDS:
            await offload(jobs.remove_finished)
            self._removed_at = time.monotonic()
