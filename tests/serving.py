"""The web server of Chatcore in this process, on this loop: for those who must look inside while it serves."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chatcore.processes.web import Web, listen
from chatcore.realtime.hub import hub
from chatcore.realtime.sessions import LiveSession
from tests.servers import free_port

Address = tuple[str, int]


@asynccontextmanager
async def serving() -> AsyncIterator[Address]:
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


def sessions_in_memory() -> int:
    """Those that something still refers to, open or not."""
    gc.collect()
    return sum(type(found) is LiveSession for found in gc.get_objects())
