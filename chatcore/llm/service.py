"""Providers of a process: a worker starts LiteLLM's child early, and everything is closed after the last answer."""

import asyncio
import logging

from chatcore.llm import instances, line

log = logging.getLogger(__name__)


class Providers:
    """A service of the worker. Warming up runs beside the first replies: it takes seconds, and most need none of it."""

    def __init__(self) -> None:
        self._warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._warming = asyncio.get_running_loop().create_task(self._warm_up())

    async def stop(self, grace: float) -> None:  # noqa: ARG002
        if self._warming:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        await _close()

    async def _warm_up(self) -> None:
        try:
            await instances.prewarm()
        except Exception as error:
            log.warning("LiteLLM is not ready and will be started again when it is needed: %s", error)


class ProvidersOfWeb:
    """A part of a web process: the models that are asked there are let go when its requests have ended."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        await self._stopping.wait()
        await _close()

    async def stop(self) -> None:
        self._stopping.set()


async def _close() -> None:
    await line.close()
    await instances.close_all()
