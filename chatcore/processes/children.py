"""Several web processes on one listening socket: the parent only starts them, replaces the dead and ends them."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable

from chatcore.embedded import privileges

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
PAUSE_SECONDS = 1.0


class Children:
    """A part of a process. Each child is `serve` with one worker on the socket it inherits."""

    def __init__(self, listener: socket.socket, count: int, announce: Callable[[], None]) -> None:
        self._announce = announce
        self._listener = listener
        self._count = count
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        self._announce()
        await asyncio.gather(*(self._keep() for _ in range(self._count)))

    async def stop(self) -> None:
        self._stopping.set()

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            child = await self._started()
            ended = asyncio.create_task(child.wait())
            stopped = asyncio.create_task(self._stopping.wait())
            await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if self._stopping.is_set():
                await _end(child, ended)
                return
            logger.error("web process %d ended with code %s; starting another", child.pid, child.returncode)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _started(self) -> asyncio.subprocess.Process:
        number = self._listener.fileno()
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *(sys.argv[0], "serve", "--workers", "1", "--fd", str(number)),
            pass_fds=[number],
            start_new_session=True,  # Ctrl-C is for the parent, which tells them
            preexec_fn=privileges.transition(None),
        )


async def _end(child: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGTERM)
    await asyncio.wait([ended], timeout=STOP_SECONDS)
    if child.returncode is None:
        child.kill()
        await ended
