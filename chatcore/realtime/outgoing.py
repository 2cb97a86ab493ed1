"""What waits to be sent to one client: bounded, without repeats, written by a task of its own."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from chatcore.realtime.frames import Frame

BUFFER_BYTES = 1024 * 1024
REMEMBERED = 2_000


class Outgoing:
    """The watcher of one connection. A reader that falls 1 MiB behind is cut, and resumes by its cursor.

    While held, what the hub brings waits behind what `send_now` sends; `release` lets it through.
    """

    def __init__(
        self,
        write: Callable[[str], Coroutine[Any, Any, None]],
        too_slow: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._write = write
        self._too_slow = too_slow
        self._ready: deque[str] = deque()
        self._held: deque[Frame] = deque()
        self._holds = 0
        self._size = 0
        self._seen: dict[int, None] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = False
        self._cutting: asyncio.Task[None] | None = None
        self._writer = asyncio.get_running_loop().create_task(self._run())

    def receive(self, frame: Frame) -> None:
        if self._holds:
            self._held.append(frame)
            self._count(len(frame.text))
        else:
            self.send_now(frame)

    def send_now(self, frame: Frame) -> None:
        """Queue a frame ahead of what is held; an event the client has had is left out."""
        if self._stopped or self._repeated(frame.event_id):
            return
        self._ready.append(frame.text)
        self._count(len(frame.text))
        self._idle.clear()
        self._wake.set()

    def hold(self) -> None:
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        while self._held and not self._holds:
            frame = self._held.popleft()
            self._size -= len(frame.text)
            self.send_now(frame)

    async def drain(self) -> None:
        """Until everything queued is written, or the client has had two seconds."""
        try:
            async with asyncio.timeout(2):
                await self._idle.wait()
        except TimeoutError:
            return

    async def stop(self) -> None:
        self._stopped = True
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    def _repeated(self, event_id: int | None) -> bool:
        if event_id is None:
            return False
        if event_id in self._seen:
            return True
        self._seen[event_id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > BUFFER_BYTES and not self._stopped:
            self._stopped = True
            self._writer.cancel()
            self._cutting = asyncio.get_running_loop().create_task(self._too_slow())

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ready:
                text = self._ready.popleft()
                await self._write(text)
                self._size -= len(text)
            self._idle.set()
