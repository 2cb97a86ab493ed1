"""The web server of Chatcore in this process, on this loop: for those who must look inside while it serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chatcore.processes.web import Web, listen
from chatcore.realtime.hub import hub
from tests.servers import free_port


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, int]]:
    """The address at which it answers."""
    address = ("127.0.0.1", free_port())
    begun = asyncio.Event()
    with listen(*address) as listener:
        web = Web(listener, begun.set)
        running = asyncio.create_task(web.run())
        await asyncio.wait([running, asyncio.create_task(begun.wait())], return_when=asyncio.FIRST_COMPLETED)
        try:
            yield address
        finally:
            await web.stop()
            await running
            await hub.stop()
