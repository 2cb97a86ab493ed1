"""Acknowledgements of this process's clients, written together: readers scroll faster than rows should change."""

import asyncio

from chatcore.offload import offload
from conversations.actions.receipts import Acknowledgement, record

BATCH_SECONDS = 0.25


class _Batch:
    """What waits for the next write, and whoever waits with it."""

    def __init__(self) -> None:
        self.items: list[Acknowledgement] = []
        self.written: asyncio.Task[None] = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        global _open  # noqa: PLW0603
        await asyncio.sleep(BATCH_SECONDS)
        _open = None
        await offload(record, self.items)


_open: _Batch | None = None


async def acknowledge(item: Acknowledgement) -> None:
    """Returns when it is committed."""
    global _open  # noqa: PLW0603
    if _open is None or _open.written.done():
        _open = _Batch()
    batch = _open
    batch.items.append(item)
    await asyncio.shield(batch.written)
