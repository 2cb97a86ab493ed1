"""The embedded Postgres as a part of the process: watched, and started again should it end."""

import asyncio
import logging

from chatcore import embedded

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.5


class EmbeddedDatabase:
    """Watches a running server. Its end at the end of everything is up to who started it."""

    def __init__(self, server: embedded.Server) -> None:
        self._server = server
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        while not self._stopping.is_set():
            if not self._server.alive:
                await self._revive()
            try:
                await asyncio.wait_for(self._stopping.wait(), WATCH_SECONDS)
            except TimeoutError:
                continue

    async def stop(self) -> None:
        self._stopping.set()

    async def _revive(self) -> None:
        """Launched from this thread, the main one: Postgres ends with the thread that started it."""
        logger.error("Postgres ended; starting it again. Its log is %s", self._server.places.log)
        try:
            self._server.launch()
            await asyncio.to_thread(self._server.wait_until_ready)
        except embedded.EmbeddedError as error:
            logger.error("%s", error)
