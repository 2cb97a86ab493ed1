"""The ASGI application: HTTP through Django with hand-over, WebSockets, and what starts and stops with the server."""

import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatcore.settings")

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries

django.setup(set_prefix=False)

from django.urls import path, re_path

from chatcore.handler import Handler
from chatcore.processes.web import on_stop
from chatcore.realtime import connections
from chatcore.realtime.consumers import LiveConsumer
from chatcore.realtime.handover import HandOver
from chatcore.realtime.hub import hub
from chatcore.realtime.plain_asgi import Receive, Scope, Send
from chatcore.realtime.presence import presence
from chatcore.realtime.sse import event_stream
from chatcore.realtime.tail import tail
from external.openai.door import openai_door

on_stop(connections.close_all)
# What Django does before each request, in a thread that it starts for it, is for threads that have served others.
for receiver in (reset_queries, close_old_connections):
    request_started.disconnect(receiver)


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """Bind the hub to the server's loop before the first request, let it go after the last."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await hub.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await presence.stop()
            await tail.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    await send({"type": "websocket.close", "code": 4404})


websockets: list[Any] = [
    path("ws/", LiveConsumer.as_asgi()),
    path("", cast(Any, refuse)),
    path("<path:elsewhere>", cast(Any, refuse)),
]

# What streams without Django; everything else is Django's.
requests: list[Any] = [
    path("events/", cast(Any, event_stream)),
    re_path("^v1/", cast(Any, openai_door)),
    re_path("", cast(Any, HandOver(Handler()))),
]

application: Any = ProtocolTypeRouter(
    {"http": URLRouter(requests), "websocket": URLRouter(websockets), "lifespan": lifespan}
)
