"""The child processes that run LiteLLM, seen from here: two for each event loop, each started when first needed."""

import asyncio
import json
import logging
import os
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from django.conf import settings

from chatcore.llm.errors import ProviderError
from chatcore.llm.litellm_environment import of_all, of_workspaces
from chatcore.llm.sse import LineReader

logger = logging.getLogger(__name__)
MODULE = "chatcore.llm.litellm_child"
LAST = frozenset({"finish", "models", "error", "died"})
PROJECT = Path(__file__).resolve().parents[2]
READ_SIZE = 256 * 1024
LONGEST_REQUEST = 64 * 1024 * 1024  # bytes in one line to the child
STOP_TIMEOUT = 5.0
Answer = tuple[str, Any]  # kind and value, as litellm_child sends them

Processes: TypeAlias = "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LitellmProcess]"
_shared: Processes = weakref.WeakKeyDictionary()
_guarded: Processes = weakref.WeakKeyDictionary()


def shared() -> "LitellmProcess":
    """The one of the running event loop, for what belongs to all workspaces."""
    return _shared.setdefault(asyncio.get_running_loop(), LitellmProcess())


def guarded() -> "LitellmProcess":
    """The one of the running event loop for providers of workspaces: it has no account of this machine's to use."""
    return _guarded.setdefault(asyncio.get_running_loop(), LitellmProcess(guarded=True))


async def shut_down() -> None:
    """End the children of the running event loop, if there are any. The next request would start another."""
    for processes in (_shared, _guarded):
        process = processes.pop(asyncio.get_running_loop(), None)
        if process is not None:
            await process.stop()


class LitellmProcess:
    """Many requests at a time over one pair of pipes. When the child dies, all of them fail."""

    def __init__(self, *, guarded: bool = False) -> None:
        self._guarded = guarded
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._running: dict[int, asyncio.Queue[Answer]] = {}
        self._last_number = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def wait_until_ready(self) -> None:
        """Start the child, and wait until it has LiteLLM imported. Raises ProviderError where it cannot."""
        await self._start_once()
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({ready, *filter(None, [self._listening])}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._ready.is_set():
            raise ProviderError("unavailable", "LiteLLM's process ended while it started")

    @asynccontextmanager
    async def asked(self, **message: Any) -> AsyncIterator[asyncio.Queue[Answer]]:
        """The answers to one request as they come. Leaving early cancels it."""
        await self._start_once()
        self._last_number += 1
        number, answers = self._last_number, asyncio.Queue[Answer]()
        self._running[number] = answers
        try:
            await self._send({"id": number, **message})
            yield answers
        finally:
            if self._running.pop(number, None) is not None:
                with suppress(ProviderError):
                    await self._send({"id": number, "do": "cancel"})

    async def stop(self) -> None:
        process, self._process = self._process, None
        if self._starting is not None:
            await self._starting
        if process is None or self._listening is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._listening
        except TimeoutError:
            process.kill()
            await self._listening

    async def _start_once(self) -> None:
        if self._process is None:
            # A task of its own: the request that happened to come first may be cancelled.
            self._starting = self._starting or asyncio.create_task(self._start())
            await asyncio.shield(self._starting)

    async def _start(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                MODULE,
                str(os.getpid()),
                *([json.dumps(settings.OUTBOUND_ALLOW)] if self._guarded else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=PROJECT,
                env=of_workspaces(os.environ) if self._guarded else of_all(os.environ),
            )
            self._ready.clear()
            self._process = process
            self._listening = asyncio.create_task(self._listen(process))
        finally:
            self._starting = None

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        try:
            await self._read(process)
        except (ProviderError, ValueError) as error:
            logger.error("LiteLLM's process wrote what cannot be read: %s", error)
            process.kill()
        if self._process is process:
            self._process = None
        status = await process.wait()
        running, self._running = self._running, {}
        for answers in running.values():
            answers.put_nowait(("died", status))
        if running:
            logger.error("LiteLLM's process ended (status %s), %s requests running", status, len(running))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        lines = LineReader()
        while chunk := await process.stdout.read(READ_SIZE):
            for line in lines.feed(chunk):
                self._deliver(*json.loads(line))

    def _deliver(self, number: int, kind: str, value: Any) -> None:
        if kind == "ready":
            self._ready.set()
            return
        answers = self._running.get(number)
        if answers is None:
            return
        if kind in LAST:
            del self._running[number]
        answers.put_nowait((kind, value))

    async def _send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if len(line) > LONGEST_REQUEST:
            raise ProviderError("context_too_long", f"a request of {len(line)} bytes")
        process = self._process
        try:
            if process is None or process.stdin is None:
                raise ConnectionResetError("not running")
            process.stdin.write(line)
            await process.stdin.drain()
        except OSError as error:
            raise ProviderError("unavailable", f"LiteLLM's process: {error}") from None
