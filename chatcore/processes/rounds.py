"""Services of the worker that do the same thing again and again."""

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import ClassVar

logger = logging.getLogger(__name__)


class Rounds(ABC):
    """A service: a round at once, and another `pause` seconds after each. One that fails is logged, and tried again."""

    name: ClassVar[str]
    pause: ClassVar[float]

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self, grace: float) -> None:  # noqa: ARG002 (nothing of it needs time)
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    @abstractmethod
    async def round(self) -> None: ...

    async def _run(self) -> None:
        while True:
            try:
                await self.round()
            except Exception as error:
                logger.warning("%s could not be done, trying again: %s", self.name, error)
            await asyncio.sleep(self.pause)
