"""The webhooks of a worker: goes on with the log, sends what is due, each delivery a task of its own.

Nothing here waits for a receiver: a slow one holds its own few places and no others. What comes back is written by one
task for all, so that a crowd of answers is a few statements.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone

from chatcore.offload import offload
from external.webhooks.claims import Claim, claim_due, release
from external.webhooks.dispatch import PAGE, dispatch
from external.webhooks.outcomes import record_each
from external.webhooks.sending import Outcome, send

log = logging.getLogger(__name__)

READ_SECONDS = 0.5
LOOK_SECONDS = 1.0


class WebhookSender:
    """A service of the worker. `clock` tells the time of everything that is written and signed."""

    def __init__(self, clock: Callable[[], datetime] = timezone.now) -> None:
        self._clock = clock
        self._sending: dict[asyncio.Task[None], Claim] = {}
        self._troubled: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._due = asyncio.Event()
        self._told = asyncio.Event()
        self._ending = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        parts = (self._read_forever(), self._send_forever(), self._record_forever())
        self._loops = [loop.create_task(part) for part in parts]

    async def stop(self, grace: float) -> None:
        """Take no more; what is not answered within the grace goes to another worker."""
        self._ending.set()
        self._due.set()
        if self._loops:  # what they are at in the database is done to its end
            await asyncio.wait(self._loops[:2], timeout=grace)
        sending = list(self._sending)
        if sending:
            await asyncio.wait(sending, timeout=grace)
        left = list(self._sending.values())
        for task in (*sending, *self._loops):
            task.cancel()
        await asyncio.gather(*sending, *self._loops, return_exceptions=True)
        await self.write()
        if left:
            await offload(release, left, self._clock())

    async def read(self) -> None:
        """Make deliveries of what the log has new."""
        read: int | None = PAGE
        while read == PAGE:
            if read := await offload(dispatch, self._clock()):
                self._due.set()

    async def take(self) -> int:
        """Begin to send what is due, as far as there is room; returns how many. Troubled addresses get half of it."""
        room = settings.WEBHOOK_CONCURRENCY
        taken = await self._take(room - len(self._sending), troubled=False)
        spare = min(room - len(self._sending), room // 2 - len(self._troubled))
        return taken + await self._take(spare, troubled=True)

    async def _take(self, room: int, *, troubled: bool) -> int:
        if room <= 0:
            return 0
        claims = await offload(claim_due, room, self._clock(), troubled=troubled)
        for claim in claims:
            task = asyncio.get_running_loop().create_task(self._send(claim))
            self._sending[task] = claim
            task.add_done_callback(self._forget)
            if troubled:
                self._troubled.add(task)
        return len(claims)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._sending.pop(task, None)
        self._troubled.discard(task)

    async def _send(self, claim: Claim) -> None:
        outcome = await send(claim, self._clock())
        self._outcomes.append(outcome)
        self._told.set()

    async def write(self) -> None:
        """Write what has come back so far. Raises DatabaseError, and keeps it, where the database is away."""
        told = list(self._outcomes)
        if told:
            await offload(record_each, told, self._clock())
            del self._outcomes[: len(told)]
            self._due.set()

    async def idle(self) -> None:
        """Returns when nothing is being sent, and what came back is written."""
        while self._sending or self._outcomes:
            if self._sending:
                await asyncio.wait(list(self._sending))
            await self.write()

    async def _read_forever(self) -> None:
        while not self._ending.is_set():
            await self._try(self.read)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), READ_SECONDS)

    async def _send_forever(self) -> None:
        while not self._ending.is_set():
            self._due.clear()
            await self._try(self.take)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), LOOK_SECONDS)

    async def _record_forever(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            await self._try(self.write)
            if self._outcomes:
                self._told.set()
                await asyncio.sleep(LOOK_SECONDS)

    async def _try(self, step: Callable[[], Awaitable[object]]) -> None:
        try:
            await step()
        except DatabaseError as error:
            log.warning("webhooks wait for the database (%s); trying again", error)
        except Exception:
            log.exception("webhooks cannot go on; trying again")
