"""Answers that wait or stream, given after Django's request has ended, so that no thread waits with them.

A view authenticates, checks and commits as ever, and returns `hand_over(request, continuation)`: an empty answer with a
private header. The wrapper around Django's application swallows that answer and runs the continuation instead.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from chatcore.errors import ChatcoreError
from chatcore.problems import translate
from chatcore.realtime.events import Refused
from chatcore.realtime.frames import control
from chatcore.realtime.plain_asgi import (
    EVENT_STREAM,
    JSON,
    Application,
    Headers,
    Receive,
    Scope,
    Send,
    send_document,
    send_problem,
    while_client_stays,
)

HEADER = "X-Chatcore-Hand-Over"
PLACE = "chatcore.continuation"  # in the request's ASGI scope
_REPLACED = {HEADER.lower().encode(), b"content-type", b"content-length"}


@dataclass
class JsonAnswer:
    """One JSON document, later."""

    status: int
    body: dict[str, Any]


@dataclass
class Continuation:
    """Either `answer` (one JSON document) or `events` (server-sent events, each a complete frame); `close` always."""

    close: Callable[[], None]
    answer: Callable[[], Awaitable[JsonAnswer]] | None = None
    events: Callable[[], AsyncIterator[bytes]] | None = None


def hand_over(request: HttpRequest, continuation: Continuation) -> HttpResponse:
    """Kept with the request, so that it is closed whatever becomes of the answer on its way out."""
    request.scope[PLACE] = continuation  # type: ignore[attr-defined]
    response = HttpResponse(status=200)
    response[HEADER] = "1"
    return response


class HandOver:
    """The ASGI wrapper. Whatever else a view answers passes through untouched."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        swallowed: Headers | None = None

        async def watch(message: Mapping[str, Any]) -> None:
            nonlocal swallowed
            if message["type"] == "http.response.start" and _is_marked(message["headers"]):
                swallowed = list(message["headers"])
            if swallowed is None:
                await send(message)

        continuation: Continuation | None = None
        try:
            await self.application(scope, receive, watch)
            continuation = scope.pop(PLACE) if swallowed is not None else None
        finally:
            if left := scope.pop(PLACE, None):  # the client went away, or something failed behind the view
                left.close()
        if continuation is not None:
            await _continue(continuation, swallowed or [], receive, send)


async def _continue(continuation: Continuation, headers: Headers, receive: Receive, send: Send) -> None:
    kept = [pair for pair in headers if pair[0].lower() not in _REPLACED]
    try:
        await while_client_stays(_write(continuation, kept, send), receive)
    except OSError:
        pass  # the client went away while being written to
    finally:
        continuation.close()


async def _write(continuation: Continuation, headers: Headers, send: Send) -> None:
    if continuation.answer is not None:
        await _write_answer(continuation.answer, headers, send)
        return
    assert continuation.events
    await send({"type": "http.response.start", "status": 200, "headers": headers + EVENT_STREAM})
    try:
        async for event in continuation.events():
            await send({"type": "http.response.body", "body": event, "more_body": True})
    except Exception as error:
        problem = _problem(error).problem(_request_id(headers))
        failed = control(Refused.model_validate(problem)).sse
        await send({"type": "http.response.body", "body": failed, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _write_answer(answering: Callable[[], Awaitable[JsonAnswer]], headers: Headers, send: Send) -> None:
    try:
        answer = await answering()
    except Exception as error:
        await send_problem(send, _problem(error), _request_id(headers), headers)
    else:
        await send_document(send, answer.status, answer.body, headers + JSON)


def _problem(error: Exception) -> ChatcoreError:
    """What went wrong after Django's request had ended; a defect of ours is raised again."""
    known = translate(error)
    if known is None:
        raise error
    return known


def _request_id(headers: Headers) -> str:
    return next((value.decode() for name, value in headers if name.lower() == b"x-request-id"), "")


def _is_marked(headers: Headers) -> bool:
    return any(name.lower() == HEADER.lower().encode() for name, _ in headers)
