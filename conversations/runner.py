"""The reply runner of a worker: claims queued replies, runs them as tasks, saves them, sweeps after the dead."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import Error as DatabaseError

from chatcore.offload import offload
from chatcore.realtime.frames import Frame
from chatcore.realtime.hub import hub
from conversations.claims import claim_replies, release, save_progress, show_life, sweep_stalled
from conversations.control import QUEUE_GROUP, QUEUED, STOP_GROUP
from conversations.generation import run_reply
from conversations.streams import ReplyStream

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
SAVE_SECONDS = 0.5
MAINTAIN_SECONDS = 2.0
CROWD = 30  # replies at once: what can wait lets them end
HELD_PER_PLACE = 10  # replies for each that may run: most of them would be in line for a provider


@dataclass
class Run:
    """One reply being produced here."""

    stream: ReplyStream
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Runner:
    """A job only wakes it; what it takes and whether it may still write is decided by the rows."""

    def __init__(self) -> None:
        self.runs: dict[uuid.UUID, Run] = {}
        self._rung = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._loops: list[asyncio.Task[None]] = []
        self._accepting = False
        self._some_are_left = False

    async def start(self) -> None:
        global _current  # noqa: PLW0603
        _current = self
        self._accepting = True
        await hub.join(self, STOP_GROUP, QUEUE_GROUP)
        loop = asyncio.get_running_loop()
        forever = (self._answer_rings(), self._save_forever(), self._maintain_forever())
        self._loops = [loop.create_task(each) for each in forever]

    async def stop(self, grace: float) -> None:
        """Let replies finish for `grace` seconds, then give the rest back to the queue for another worker."""
        self._accepting = False
        tasks = [run.task for run in self.runs.values() if run.task]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        left = [run.stream.claim for run in self.runs.values()]
        for task in (*tasks, *self._loops):
            task.cancel()
        await asyncio.gather(*tasks, *self._loops, return_exceptions=True)
        hub.leave(self, STOP_GROUP, QUEUE_GROUP)
        if left:
            await offload(release, left)

    @property
    def busy(self) -> int:
        """How many replies take part in the worker's work: those in line for a provider wait, and take none."""
        return sum(not run.stream.line.position for run in self.runs.values())

    def ring(self) -> None:
        """Replies are queued. Their jobs may have to wait for others to end; they themselves need not."""
        self._rung.set()

    async def wake(self) -> None:
        """Take as many queued replies as there is room for."""
        async with self._claiming:
            most = settings.REPLY_CONCURRENCY
            room = min(most - self.busy, most * HELD_PER_PLACE - len(self.runs))
            self._some_are_left = True
            if not self._accepting or room <= 0:
                return
            claims = await offload(claim_replies, room)
            self._some_are_left = len(claims) == room
            for claim in claims:
                run = Run(ReplyStream(claim))
                self.runs[claim.id] = run
                run.task = asyncio.get_running_loop().create_task(self._run(run))

    async def calm(self, patience: float) -> None:
        """Wait for `patience` seconds at most: while a reply here is before its first word, or a crowd is written."""
        for _ in range(round(patience / TICK_SECONDS)):
            if self.busy < CROWD and not any(run.stream.is_silent for run in self.runs.values()):
                return
            await asyncio.sleep(TICK_SECONDS)

    def receive(self, frame: Frame) -> None:
        """Frames of both groups: a reply to stop, or that there are some to take."""
        if frame.type == QUEUED:
            self.ring()
            return
        run = self.runs.get(uuid.UUID(frame.body["data"]["message"]))
        if run:
            run.stop.set()

    async def _run(self, run: Run) -> None:
        try:
            await run_reply(run.stream, run.stop)
        finally:
            if self.runs.get(run.stream.claim.id) is run:
                del self.runs[run.stream.claim.id]
        if self._some_are_left:
            self.ring()

    async def _answer_rings(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            try:
                await self.wake()
            except DatabaseError as error:
                log.warning("queued replies cannot be claimed now (%s); trying again", error)

    async def _save_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._save()
            except DatabaseError as error:
                log.warning("running replies cannot be saved now (%s); trying again", error)

    async def _save(self) -> None:
        now = time.monotonic()
        due = [
            run
            for run in self.runs.values()
            if run.stream.length > run.stream.saved_length and now - run.stream.saved_at >= SAVE_SECONDS
        ]
        if not due:
            return
        lengths = [run.stream.length for run in due]
        progress = [run.stream.progress() for run in due]
        ours = await offload(save_progress, progress)
        for run, length, saved in zip(due, lengths, progress, strict=True):
            if run.stream.claim.attempt == saved.attempt:
                run.stream.saved_length, run.stream.saved_at = length, now
        self._heed([(saved.id, saved.attempt) for saved in progress], ours)

    async def _maintain_forever(self) -> None:
        while True:
            try:
                await self._maintain()
            except DatabaseError as error:
                log.warning("the queue of replies cannot be reached (%s); trying again", error)
            await asyncio.sleep(MAINTAIN_SECONDS)

    async def _maintain(self) -> None:
        """Signs of life for ours, a second chance for those of the dead, and whatever lost its job."""
        running = list(self.runs.values())
        if running:
            claims = [(run.stream.claim.id, run.stream.claim.attempt) for run in running]
            self._heed(claims, await offload(show_life, claims))
        await offload(sweep_stalled)
        await self.wake()

    def _heed(self, asked: Sequence[tuple[uuid.UUID, int]], ours: Mapping[uuid.UUID, bool]) -> None:
        """Stop what somebody asked to stop; drop what is no longer ours.

        One that begins anew is asked about under an attempt that its row has left, or has not come to.
        """
        for reply_id, attempt in asked:
            run, stop = self.runs.get(reply_id), ours.get(reply_id)
            if run is None or run.stream.claim.attempt != attempt:
                continue
            if stop:
                run.stop.set()
            elif stop is None and run.task and not run.stream.is_restarting:
                run.task.cancel()


_current: Runner | None = None


def current() -> Runner | None:
    """The runner of this process; None outside of a worker."""
    return _current
