"""Connections of the guarded client: to addresses that were checked for this one connection."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import httpcore2

from chatcore.security.targets import AddressRefused, Target, check_addresses

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
TRIED_ADDRESSES = 4
LOOKUPS = 32
_lookups = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, in threads of its own: those that wait for ever delay only one another."""
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_lookups, ask)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to addresses of one target that were checked for this connection, and to nothing else."""

    def __init__(self, target: Target, lookup: Lookup) -> None:
        self._target, self._lookup = target, lookup
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002
        port: int,  # noqa: ARG002
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        target = self._target
        loop = asyncio.get_running_loop()
        until = loop.time() + (timeout or 0)
        async with asyncio.timeout_at(until if timeout else None):
            found = [target.host] if target.literal else await self._lookup(target.host, target.port)
        addresses = check_addresses(target, found)[:TRIED_ADDRESSES]
        for left in range(len(addresses), 0, -1):
            share = (until - loop.time()) / left if timeout else None
            try:
                return await self._network.connect_tcp(
                    str(addresses[-left]), target.port, share, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if left == 1:
                    raise
        raise AddressRefused

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        raise AddressRefused

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
