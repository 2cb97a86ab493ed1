"""One that never reads is cut, holds nobody up and costs the process no more than its buffer."""

import asyncio
import gc
import socket
import weakref
from typing import Any

import psutil
import pytest

from chatcore.realtime.connections import open_sessions
from chatcore.realtime.hub import hub
from chatcore.realtime.outgoing import BUFFER_BYTES
from chatcore.realtime.sessions import LiveSession
from tests.serving import Address, serving
from tests.until import until
from tests.wire import SSE, WEBSOCKET, request

PADDING = "x" * 60_000
MOST = 500  # the kernel's buffers come first, several megabytes of them
PATHS = {SSE: "/events/", WEBSOCKET: "/ws/"}


def deaf(address: Address, kind: str, key: str) -> socket.socket:
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    wire.connect(address)
    wire.sendall(request(kind, address, PATHS[kind], key).encode())
    return wire


class Reader:
    """Reads everything, in whatever form it comes."""

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self._reader, self._writer = streams

    @classmethod
    async def open(cls, address: Address, kind: str, key: str) -> "Reader":
        reader = cls(await asyncio.open_connection(*address, limit=2**20))
        reader._writer.write(request(kind, address, PATHS[kind], key).encode())
        await reader.until('"cursor":')
        return reader

    async def until(self, word: str) -> None:
        async with asyncio.timeout(30):
            await self._reader.readuntil(word.encode())

    def close(self) -> None:
        self._writer.close()


def session_of(wire: socket.socket) -> LiveSession:
    (found,) = [item for item in open_sessions if tuple(item.scope["client"]) == wire.getsockname()]
    return found


def connected(wire: socket.socket) -> bool:
    return any(tuple(item.scope["client"]) == wire.getsockname() for item in open_sessions)


def held_by_the_server(wire: socket.socket) -> bool:
    return any(item.raddr == wire.getsockname() for item in psutil.Process().net_connections())


def is_gone(remembered: "weakref.ref[LiveSession]") -> bool:
    gc.collect()
    return remembered() is None


async def tell(group: str, number: int, readers: list[Reader]) -> None:
    frame: dict[str, Any] = {"type": "test.noise", "data": {"padding": PADDING, "number": f"<{number}>"}}
    hub.publish([group], frame)
    for reader in readers:
        await reader.until(f"<{number}>")


@pytest.mark.parametrize("kind", PATHS, ids=["server-sent", "websocket"])
async def test_one_that_never_reads_is_cut_and_holds_nobody_up(owner_key: str, kind: str) -> None:
    async with serving() as address:
        wire = deaf(address, kind, owner_key)
        readers = [await Reader.open(address, other, owner_key) for other in PATHS]
        await until(lambda: connected(wire))
        session, number = session_of(wire), 0
        assert session._feeding
        group = session._feeding[0].group

        while not session.outgoing._stopped:
            assert number < MOST, "nobody cuts it"
            assert session.outgoing._size <= BUFFER_BYTES
            await tell(group, number, readers)
            number += 1
        for further in range(number, number + 50):
            await tell(group, further, readers)
        assert session.outgoing._size <= BUFFER_BYTES + 2 * len(PADDING)
        remembered = weakref.ref(session)
        del session

        await until(lambda: not held_by_the_server(wire))
        await until(lambda: is_gone(remembered))
        await tell(group, MOST + 100, readers)
        for reader in readers:
            reader.close()
        wire.close()
