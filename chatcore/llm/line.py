"""This process's share of the limits: keeps its places alive, and lets its requests wait in line.

One task serves all that wait, so that waiting holds neither a thread nor a connection.
"""

import asyncio
import logging
import time
import uuid
import weakref
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.conf import settings
from django.db import Error as DatabaseError

from chatcore.llm import breakers, places
from chatcore.llm.errors import ProviderError
from chatcore.llm.places import Place, Turns
from chatcore.offload import offload

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
GAP_SECONDS = 0.02
RENEW_SECONDS = 1.5

OnWait: TypeAlias = Callable[[int], None]


@dataclass(slots=True)
class Waiting:
    """One request in line. `turn` becomes its place, or None when there is nothing left to wait for."""

    deployments: Sequence[uuid.UUID]
    turn: "asyncio.Future[Place | None]"
    on_wait: OnWait

    @property
    def given(self) -> Place | None:
        """The place, if it has come."""
        return self.turn.result() if self.turn.done() and not self.turn.cancelled() else None


class Line:
    """Of one event loop. Its task lives while anything is held or waited for."""

    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}
        self._calls: set[uuid.UUID] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    async def turn(
        self, deployments: Sequence[uuid.UUID], tokens: int, until: float, on_wait: OnWait
    ) -> Place | None:
        """Wait for a place at one of the deployments; None when none of them may be asked any more.

        `on_wait` hears the position (1 is next) some times a second, and 0 at the end. Raises ProviderError `busy`
        at `until`, in the loop's time.
        """
        waiter = await offload(places.join_line, deployments, tokens)
        waiting = Waiting(deployments, asyncio.get_running_loop().create_future(), on_wait)
        self._waiting[waiter] = waiting
        self._serve()
        try:
            async with asyncio.timeout_at(until):
                place = await waiting.turn
        except TimeoutError:
            place = waiting.given  # at the last moment
            if place is None:
                words = f"no place within {settings.MODEL_WAIT_TIMEOUT:g} s"
                raise ProviderError("busy", words) from None
        except asyncio.CancelledError:
            if waiting.given:
                self._give_back(waiting.given)
            raise
        finally:
            del self._waiting[waiter]
            self.run_errand(offload(places.leave_line, [waiter]))
        on_wait(0)
        return place

    def hold(self, call: uuid.UUID) -> None:
        """Keep this place alive until it is left."""
        self._calls.add(call)
        self._serve()

    def leave(self, call: uuid.UUID, tokens: int | None) -> None:
        """Give the place back, at once and without waiting for it."""
        self._calls.discard(call)
        self.run_errand(offload(places.leave, call, tokens))

    def _give_back(self, place: Place) -> None:
        """Nobody wants it any more."""
        self.leave(place.call, 0)
        if place.probe:
            self.give_back_probe(place.deployment_id, place.probe)

    def give_back_probe(self, deployment_id: uuid.UUID, probe: uuid.UUID) -> None:
        self.run_errand(offload(breakers.give_back_probe, deployment_id, probe))

    async def settled(self) -> None:
        """Until everything that was given back is."""
        while self._errands:
            await asyncio.wait(self._errands)

    async def close(self) -> None:
        await self.settled()
        if self._serving:
            self._serving.cancel()
            await asyncio.wait([self._serving])

    def _serve(self) -> None:
        self._wake.set()
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve_all())

    async def _serve_all(self) -> None:
        renewed_at = time.monotonic()
        try:
            while self._waiting or self._calls:
                self._wake.clear()
                try:
                    if self._calls and time.monotonic() - renewed_at > RENEW_SECONDS:
                        renewed_at = time.monotonic()
                        await offload(places.renew, frozenset(self._calls))
                    if self._waiting:
                        await self._take_turns()
                except Exception as error:
                    logger.warning("the line could not be served, trying again: %s", error)
                await asyncio.sleep(GAP_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS if self._waiting else RENEW_SECONDS):
                        await self._wake.wait()
        finally:
            self._serving = None

    async def _take_turns(self) -> None:
        asked = {waiter: waiting.deployments for waiter, waiting in self._waiting.items()}
        turns: Turns = await offload(places.take_turns, asked)
        for waiter in asked:
            place, waiting = turns.places.get(waiter), self._waiting.get(waiter)
            if waiting is None or waiting.turn.done():  # it left meanwhile
                if place:
                    self._give_back(place)
            elif place or waiter not in turns.positions:
                if place:
                    self.hold(place.call)
                waiting.turn.set_result(place)
            else:
                waiting.on_wait(turns.positions[waiter])

    def run_errand(self, errand: Coroutine[Any, Any, None]) -> None:
        """Write it without waiting for it. What is lost with the database or with this process does no harm: places,
        waits and probes run out by themselves.
        """
        task = asyncio.get_running_loop().create_task(self._errand(errand))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _errand(self, errand: Coroutine[Any, Any, None]) -> None:
        try:
            await errand
        except DatabaseError as error:
            logger.warning("the state of a deployment cannot be noted now: %s", error)
        self._wake.set()


_lines: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Line]" = weakref.WeakKeyDictionary()


def shared() -> Line:
    """The one of the running event loop."""
    return _lines.setdefault(asyncio.get_running_loop(), Line())


async def close() -> None:
    """Give back what is held. For the end of the process."""
    line = _lines.pop(asyncio.get_running_loop(), None)
    if line:
        await line.close()
