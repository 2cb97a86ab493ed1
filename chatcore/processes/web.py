"""The web server of a process: uvicorn, told to stop by us and not by signals."""

import asyncio
import contextlib
import inspect
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from django.conf import settings
from django.utils.module_loading import import_string

from chatcore.processes.protocols import HttpProtocol, WebSocketProtocol

logger = logging.getLogger(__name__)

STOP_SECONDS = 4  # open requests are cut after that; streams end by the hooks below
WEBSOCKET_MESSAGE_BYTES = 1024 * 1024
BACKLOG = 2048
# Idle connections are left to clients and proxies to close (their usual time is up to 60 s): if both sides do it at the
# same moment, a request is lost.
IDLE_SECONDS = 75

_hooks: list[Callable[[], Any]] = []


def on_stop(callback: Callable[[], Any]) -> None:
    """Call (and await, if it is a coroutine function) before the server closes: open streams are ended there."""
    _hooks.append(callback)


class AddressError(Exception):
    """The address cannot be listened on."""


class Server(uvicorn.Server):
    """Uvicorn raises a signal again after serving, so nothing behind it would run: signals are left to us."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:
            raise RuntimeError("the application did not start, see the log above") from None
        self._announce()


class Web:
    """A part of a process: serves until told to stop. `announce` is called once requests are accepted."""

    def __init__(self, listener: socket.socket, announce: Callable[[], None] = lambda: None) -> None:
        self._listener = listener
        self._server = Server(_configuration(), announce)

    async def run(self) -> None:
        await self._server.serve(sockets=[self._listener])

    async def stop(self) -> None:
        """End the streams, then the server; `run` returns when the last request is answered."""
        for hook in _hooks:
            try:
                result = hook()
                if inspect.isawaitable(result):
                    await asyncio.wait_for(result, STOP_SECONDS)
            except Exception:
                logger.exception("a part of the web server did not stop in order")
        self._server.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Take the address now, before anything slow; connections are accepted once the server runs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is a number from 1 to 65535"
        raise AddressError(
            f"cannot listen on {host} port {port}: {reason}. "
            f"Stop what uses it, or choose another port, for example PORT={port + 1}."
        ) from None
    return listener


def _configuration() -> uvicorn.Config:
    return uvicorn.Config(
        app=import_string(settings.ASGI_APPLICATION),
        loop="none",
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=settings.DEBUG,
        log_config=None,
        log_level="info" if settings.DEBUG else "warning",
        server_header=False,
        proxy_headers=settings.SECURE_PROXY_SSL_HEADER is not None,
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
