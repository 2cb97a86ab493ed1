"""Limits the time in which LiteLLM must have a connection.

It takes one time limit for all of a request, from most vendors as a number: its streams would end with it. All its
requests leave through httpx, which knows a limit of its own for connecting.
"""

from contextvars import ContextVar
from typing import Any

SECONDS: ContextVar[float | None] = ContextVar("connect_seconds", default=None)


def limit(httpx: Any) -> None:
    """From now on requests obey SECONDS of the task that makes them, for as long as this process lives."""
    send = httpx.AsyncClient.send

    async def limited(client: Any, request: Any, **options: Any) -> Any:
        if seconds := SECONDS.get():
            timeout = request.extensions.get("timeout", {}) | {"connect": seconds}
            request.extensions = dict(request.extensions, timeout=timeout)
        return await send(client, request, **options)

    httpx.AsyncClient.send = limited
