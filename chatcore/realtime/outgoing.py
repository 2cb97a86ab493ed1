"""What waits to be sent to one client: bounded, without repeats, written while there is something to write."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from chatcore.realtime.frames import Frame

BUFFER_BYTES = 1024 * 1024
REMEMBERED = 500

Encoded = TypeVar("Encoded", str, bytes)


class Outgoing(Generic[Encoded]):
    """The watcher of one connection. A reader that falls 1 MiB behind is cut, and resumes by its cursor.

    `encode` gives the transport's form of a frame, `write` sends it, `too_slow` ends the connection. While held, what
    the hub brings waits behind what `send_now` sends; `release` lets it through. An idle connection has no task here.
    """

    def __init__(
        self,
        encode: Callable[[Frame], Encoded],
        write: Callable[[Encoded], Coroutine[Any, Any, None]],
        too_slow: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._encode: Callable[[Frame], Encoded] = encode
        self._write: Callable[[Encoded], Coroutine[Any, Any, None]] = write
        self._too_slow = too_slow
        self._ready: deque[Encoded] = deque()
        self._held: list[Frame] = []
        self._holds = 0
        self._size = 0
        self._seen: dict[int, None] = {}
        self._stopped = False
        self._writing: asyncio.Task[None] | None = None
        self._cutting: asyncio.Task[None] | None = None
        self.written_at = 0.0

    @property
    def stopped(self) -> bool:
        """Nothing reaches the client any more."""
        return self._stopped

    def receive(self, frame: Frame) -> None:
        if self._holds:
            self._held.append(frame)
            self._count(len(self._encode(frame)))
        else:
            self.send_now(frame)

    def send_now(self, frame: Frame) -> None:
        """Queue a frame ahead of what is held; an event the client has had is left out."""
        if not self._repeated(frame.event_id):
            self.send_raw(self._encode(frame))

    async def put(self, frame: Frame) -> None:
        """As `send_now`, when there is room for it: however much is brought, a client that reads is not cut."""
        if self._size + len(self._encode(frame)) > BUFFER_BYTES // 2:
            await self.drain(None)
        self.send_now(frame)

    def send_raw(self, encoded: Encoded) -> None:
        if self._stopped:
            return
        self._ready.append(encoded)
        self._count(len(encoded))
        if self._writing is None and not self._stopped:
            self._writing = asyncio.get_running_loop().create_task(self._run())

    def hold(self) -> None:
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        if self._holds:
            return
        held, self._held = self._held, []
        for frame in held:
            self._size -= len(self._encode(frame))
            self.send_now(frame)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    async def drain(self, seconds: float | None = 2.0) -> None:
        """Until everything queued is written, or the client has had its time."""
        if self._writing:
            await asyncio.wait([self._writing], timeout=seconds)

    def stop(self) -> None:
        self._stopped = True
        self._ready.clear()
        if self._writing:
            self._writing.cancel()

    def _repeated(self, event_id: int | None) -> bool:
        if event_id is None:
            return False
        if event_id in self._seen:
            return True
        self._seen[event_id] = None
        if len(self._seen) > REMEMBERED and not self._holds:
            del self._seen[next(iter(self._seen))]
        return False

    def _count(self, size: int) -> None:
        """A frame that is larger than the buffer by itself cuts nobody who had read what came before."""
        waiting = self._size
        self._size += size
        if waiting and self._size > BUFFER_BYTES and not self._stopped:
            self.stop()
            self._cutting = asyncio.get_running_loop().create_task(self._too_slow())

    async def _run(self) -> None:
        try:
            while self._ready:
                encoded = self._ready.popleft()
                await self._write(encoded)
                self._size -= len(encoded)
            self.written_at = asyncio.get_running_loop().time()
        except OSError:  # the client has gone, which its transport says by itself
            self._stopped = True
            self._ready.clear()
        finally:
            self._writing = None
