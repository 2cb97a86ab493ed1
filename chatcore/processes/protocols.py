"""Uvicorn's protocols, with one thing more: an application can cut a client that will not read.

Closing waits for what is still to be written, and such a client never takes it.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_ABORT = "chatcore.abort"  # in the ASGI scope
LINGER_SECONDS = 5.0


class HttpProtocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[_ABORT] = self.transport.abort  # type: ignore[literal-required]


class WebSocketProtocol(WebSocketsSansIOProtocol):
    async def run_asgi(self) -> None:
        self.scope[_ABORT] = self.transport.abort  # type: ignore[literal-required]
        await super().run_asgi()


def abort_soon(scope: MutableMapping[str, Any]) -> None:
    """Cut the connection in five seconds, whatever of a goodbye has been read by then."""
    if abort := scope.get(_ABORT):
        asyncio.get_running_loop().call_later(LINGER_SECONDS, abort)
