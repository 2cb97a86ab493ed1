"""Answers that wait or stream, given after Django's request has ended, so that no thread waits with them.

A view authenticates, checks and commits as ever, and returns `hand_over(continuation)`: an empty answer with a private
header. The wrapper around Django's application swallows that answer and runs the continuation instead.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER = "X-Chatcore-Hand-Over"
_REPLACED = {HEADER.lower().encode(), b"content-type", b"content-length"}
_waiting: dict[str, "Continuation"] = {}


@dataclass
class JsonAnswer:
    """One JSON document, later."""

    status: int
    body: dict[str, Any]


@dataclass
class Continuation:
    """Either `answer` (one JSON document) or `events` (server-sent events, each a complete frame); `close` always."""

    close: Callable[[], Awaitable[None]]
    answer: Callable[[], Awaitable[JsonAnswer]] | None = None
    events: Callable[[], AsyncIterator[str]] | None = None


def hand_over(continuation: Continuation) -> HttpResponse:
    token = secrets.token_hex(16)
    _waiting[token] = continuation
    response = HttpResponse(status=200)
    response[HEADER] = token
    return response


class HandOver:
    """The ASGI wrapper. Whatever else a view answers passes through untouched."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        swallowed: dict[str, Any] = {}

        async def watch(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and (token := _token(message)):
                swallowed.update(token=token, headers=message["headers"])
            if not swallowed:
                await send(message)

        try:
            await self.application(scope, receive, watch)
        finally:
            continuation = _waiting.pop(swallowed.get("token", ""), None)
            if continuation is not None:
                await _continue(continuation, swallowed["headers"], receive, send)


async def _continue(continuation: Continuation, headers: list[Any], receive: Receive, send: Send) -> None:
    kept = [pair for pair in headers if pair[0].lower() not in _REPLACED]
    working = asyncio.ensure_future(_write(continuation, kept, send))
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    except OSError:
        pass  # the client went away while being written to
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await continuation.close()


async def _write(continuation: Continuation, headers: list[Any], send: Send) -> None:
    if continuation.answer is not None:
        answer = await continuation.answer()
        body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
        kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers + kind})
        await send({"type": "http.response.body", "body": body})
        return
    assert continuation.events
    kind = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers + kind})
    async for event in continuation.events():
        await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _token(message: Mapping[str, Any]) -> str | None:
    name = HEADER.lower().encode()
    return next((value.decode() for key, value in message["headers"] if key.lower() == name), None)
