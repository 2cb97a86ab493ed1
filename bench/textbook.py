"""The usual way to send server-sent events with Channels: an HTTP consumer for each connection, which joins a group.

`python -m bench.textbook PORT` serves it as Chatcore's web process is served; REDIS_URL names its channel layer.
"""

import asyncio
import gc
import json
import os
import sys
from typing import Any

import django
import uvloop
from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from django.conf import settings

from chatcore.processes import web

GROUP = "textbook"


class Watching(AsyncHttpConsumer):  # type: ignore[misc]
    """Stays open after its answer began; the generic consumer ends there."""

    async def http_request(self, message: dict[str, Any]) -> None:  # noqa: ARG002
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.send_headers(headers=[(b"content-type", b"text/event-stream")])
        await self.send_body(b"event: hello\ndata: {}\n\n", more_body=True)

    async def http_disconnect(self, message: dict[str, Any]) -> None:  # noqa: ARG002
        await self.channel_layer.group_discard(GROUP, self.channel_name)
        raise StopConsumer

    async def happened(self, message: dict[str, Any]) -> None:
        text = json.dumps(message["body"], separators=(",", ":"))
        await self.send_body(f"event: {message['body']['type']}\ndata: {text}\n\n".encode(), more_body=True)


consumer = Watching.as_asgi()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
    else:
        await consumer(scope, receive, send)


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "chatcore.settings"
    django.setup()
    settings.ASGI_APPLICATION = "bench.textbook.application"
    with web.listen("127.0.0.1", int(sys.argv[1])) as listener:
        gc.freeze()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(web.Web(listener, lambda: print("serving", flush=True)).run())


if __name__ == "__main__":
    main()
