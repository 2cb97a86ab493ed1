"""The project's application, and before it a stream that ends when the server stops and a request that never does."""

import asyncio
import os

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from chatcore.asgi import application as project
from chatcore.processes.web import on_stop

stopping = asyncio.Event()
on_stop(stopping.set)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    path = scope.get("path", "")
    if path not in ("/stream", "/hang", "/pid"):
        await project(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
    await send({"type": "http.response.body", "body": f"{os.getpid()}\n".encode(), "more_body": True})
    if path == "/stream":
        await stopping.wait()
    elif path == "/hang":
        await asyncio.Event().wait()
    await send({"type": "http.response.body", "body": b"ended\n", "more_body": False})
