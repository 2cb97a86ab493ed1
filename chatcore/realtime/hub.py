"""One hub per process: it receives what is published anywhere and hands it to this process's watchers.

Without Redis there is one process, and publishing calls the watchers directly. With Redis the process joins a group
of the channel layer when its first local watcher appears and leaves with the last. Signals may be lost; an event
that did not arrive is brought by the tail (tail.py), which reads the log.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from pydantic_core import from_json

from chatcore.realtime.frames import Frame, encode

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT = 2.0
REJOIN_SECONDS = 1.0
REMEMBERED = 20_000
LOCAL = "local."  # groups of this process only: what is made from frames here
CONTROL = "control."  # groups of processes that need not follow anything else

Addressed = tuple[Sequence[str], dict[str, Any]]  # groups, and what their watchers are sent


class Watcher(Protocol):
    """Receives frames on the event loop; must neither block nor raise."""

    def receive(self, frame: Frame) -> None: ...


class Hub:
    """Groups of watchers, and the way in from every other thread and process."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.groups: dict[str, set[Watcher]] = {}
        self.cursor: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._delivered: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._outbox: list[Addressed] = []
        self._flushing: asyncio.Task[None] | None = None
        self._joined: set[str] = set()
        self._syncing = asyncio.Lock()
        self._next_sync: asyncio.Task[None] | None = None
        self._channel = ""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def layered(self) -> bool:
        """Whether other processes take part."""
        return bool(settings.REDIS_URL)

    async def start(self) -> None:
        """Bind to the running loop. Safe to repeat."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop = loop
        if self.layered:
            self._tasks = [loop.create_task(self._receive()), loop.create_task(self._keep_groups())]

    async def stop(self) -> None:
        """Send what waits, let go of Redis, and forget every watcher."""
        tasks = [*self._tasks, self._next_sync] if self._next_sync else self._tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._flushing:
            await asyncio.gather(self._flushing, return_exceptions=True)
        if self.layered and self._loop:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._layer().flush(), PUBLISH_TIMEOUT)
        self._reset()

    # --- Watching (on the loop) ------------------------------------------------------------------------------

    async def join(self, watcher: Watcher, *groups: str) -> None:
        """Frames of these groups reach the watcher from now on."""
        await self.start()
        for group in groups:
            self.groups.setdefault(group, set()).add(watcher)
        if syncing := self._sync_soon():
            await asyncio.shield(syncing)

    def leave(self, watcher: Watcher, *groups: str) -> None:
        """The watcher hears no more of these groups. It waits for nothing, so nobody's cancelling can undo it."""
        for group in groups:
            watchers = self.groups.get(group)
            if watchers is None:
                continue
            watchers.discard(watcher)
            if not watchers:
                del self.groups[group]
        self._sync_soon()

    def deliver(self, group: str, body: dict[str, Any]) -> None:
        """Hand a frame to the local watchers of a group; an event only once, whichever way it came."""
        watchers = self.groups.get(group)
        if not watchers:
            return
        event_id = body.get("id")
        if event_id is not None:
            if (group, event_id) in self._delivered:
                return
            self._delivered[group, event_id] = None
            if len(self._delivered) > REMEMBERED:
                self._delivered.popitem(last=False)
        frame = Frame(body, self.cursor if event_id is not None else None)
        for watcher in tuple(watchers):
            watcher.receive(frame)

    def has_delivered(self, group: str, event_id: int) -> bool:
        return (group, event_id) in self._delivered

    # --- Publishing (from any thread) ------------------------------------------------------------------------

    def publish(self, groups: Iterable[str], body: dict[str, Any]) -> None:
        """Send a frame to all watchers of the groups, in every process. Never raises, never waits."""
        self.publish_many([(list(groups), body)])

    def publish_many(self, addressed: Sequence[Addressed]) -> None:
        """`publish` each of these, in this order."""
        loop = self._loop
        if loop is None or loop.is_closed():
            if self.layered:
                self._publish_without_loop(addressed)
            return
        if _is_running_here(loop):
            self._enqueue(addressed)
        else:
            with contextlib.suppress(RuntimeError):  # the loop closed meanwhile: nobody watches here
                loop.call_soon_threadsafe(self._enqueue, addressed)

    def _enqueue(self, addressed: Sequence[Addressed]) -> None:
        if not self.layered:
            for groups, body in addressed:
                for group in groups:
                    self.deliver(group, body)
            return
        self._outbox += addressed
        if self._flushing is None or self._flushing.done():
            assert self._loop
            self._flushing = self._loop.create_task(self._flush())

    async def _flush(self) -> None:
        """Everything that waits goes out together."""
        while self._outbox:
            batch, self._outbox = self._outbox, []
            try:
                await self._send(batch)
            except Exception as error:
                log.warning(
                    "Redis took no frames (%s): %d signals are lost, events follow by the log",
                    error,
                    len(batch),
                )

    async def _send(self, batch: Sequence[Addressed]) -> None:
        """Raises TimeoutError where Redis does not answer."""
        merged: dict[str, list[str]] = defaultdict(list)
        for groups, body in batch:
            frame = encode(body)
            for group in groups:
                merged[group].append(frame)
        messages = {
            group: {"type": "frames", "group": group, "frames": frames} for group, frames in merged.items()
        }
        await asyncio.wait_for(self._layer().send_many(messages), PUBLISH_TIMEOUT)

    def _publish_without_loop(self, addressed: Sequence[Addressed]) -> None:
        try:
            async_to_sync(self._send)(addressed)
        except Exception as error:
            log.warning("Redis took no frames (%s): events follow by the log", error)

    # --- The channel layer -----------------------------------------------------------------------------------

    def _layer(self) -> Any:
        return get_channel_layer()

    async def _receive(self) -> None:
        """Frames from the layer, forever. `receive()` is never cancelled but at the end: that deletes the channel."""
        while True:
            try:
                if not self._channel:
                    self._channel = await self._layer().new_channel()
                    self._joined.clear()
                    self._sync_soon()
                message = await self._layer().receive(self._channel)
            except Exception as error:
                log.warning("Redis is not reachable (%s); trying again", error)
                await asyncio.sleep(REJOIN_SECONDS)
                continue
            for text in message.get("frames", ()):
                try:
                    self.deliver(message["group"], from_json(text))
                except Exception:
                    log.exception("a watcher of %s failed", message["group"])

    def _sync_soon(self) -> asyncio.Task[None] | None:
        """A round of `_sync` that begins after now; whoever comes before it has begun shares it."""
        if self._loop is None or not self.layered or not self._channel:
            return None
        if self._next_sync is None:
            self._next_sync = self._loop.create_task(self._sync())
        return self._next_sync

    async def _sync(self) -> None:
        """Make the layer's groups equal to the wanted ones; what fails is tried again by `_keep_groups`.

        One round at a time: a leaving that overtakes a later joining would leave watchers without their frames.
        """
        async with self._syncing:
            self._next_sync = None
            wanted = {group for group in self.groups if not group.startswith(LOCAL)}
            missing, idle = wanted - self._joined, self._joined - wanted
            if missing:
                try:
                    async with asyncio.timeout(PUBLISH_TIMEOUT):
                        await self._layer().add_to_many(missing, self._channel)
                except Exception as error:
                    log.warning("Could not join %d groups (%s); trying again", len(missing), error)
                    return
                self._joined |= missing
            if idle:
                self._joined -= idle
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(PUBLISH_TIMEOUT):
                        await self._layer().discard_from_many(idle, self._channel)

    async def _keep_groups(self) -> None:
        while True:
            await asyncio.sleep(REJOIN_SECONDS)
            self._sync_soon()


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


hub = Hub()
