"""The tail follows the event log for this process's watchers: what publishing lost is delivered from the table.

Its position is the safe cursor that event frames name: everything up to it has been delivered here.
"""

import asyncio
import logging

from django.db import Error as DatabaseError

from chatcore.offload import offload
from chatcore.realtime import cursors
from chatcore.realtime.cursors import Cursor
from chatcore.realtime.hub import Hub, hub
from chatcore.realtime.log import Position, frame_body, groups_of, positions_after
from chatcore.realtime.models import Event

log = logging.getLogger(__name__)

INTERVAL = 1.0
PAGE = 1_000


class Tail:
    """Reads positions once a second while somebody watches; payloads only of what is missing."""

    def __init__(self, of: Hub) -> None:
        self._hub = of
        self._reset()

    def _reset(self) -> None:
        self._position: Cursor | None = None
        self._task: asyncio.Task[None] | None = None
        self._first = asyncio.Lock()

    async def ensure(self) -> str:
        """Start following if nobody did, and return the safe cursor."""
        async with self._first:
            if self._position is None:
                await self._move_to(await offload(cursors.now))
                self._task = asyncio.get_running_loop().create_task(self._run())
        assert self._hub.cursor
        return self._hub.cursor

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._reset()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self._advance()
            except DatabaseError as error:
                log.warning("The event log cannot be read (%s); trying again", error)

    async def _advance(self) -> None:
        assert self._position
        if not self._hub.groups:
            await self._move_to(await offload(cursors.now))
            return
        while True:
            positions, after = await offload(positions_after, self._position, PAGE)
            missing = [position for position in positions if self._undelivered(position)]
            if missing:
                for event in await offload(_load, [position.id for position in missing]):
                    for group in groups_of(event):
                        self._hub.deliver(group, frame_body(event))
            await self._move_to(after)
            if len(positions) < PAGE:
                return

    def _undelivered(self, position: Position) -> bool:
        return any(
            group in self._hub.groups and not self._hub.has_delivered(group, position.id)
            for group in groups_of(position)
        )

    async def _move_to(self, position: Cursor) -> None:
        if position != self._position:
            self._position = position
            self._hub.cursor = await offload(cursors.encode, position)


def _load(ids: list[int]) -> list[Event]:
    return list(Event.objects.filter(id__in=ids).order_by("xid", "id"))


tail = Tail(hub)
