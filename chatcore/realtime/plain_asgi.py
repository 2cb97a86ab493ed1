"""What answers outside Django share: sending a document or a problem, a stream's headers, noticing who has gone."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from chatcore.errors import ChatcoreError
from chatcore.problems import PROBLEM_TYPE, problem_headers

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
RECHECK_SECONDS = 4.0
JSON: Headers = [(b"content-type", b"application/json")]


async def send_document(send: Send, status: int, body: Mapping[str, Any], headers: Headers) -> None:
    """A whole answer: one JSON document. `headers` name its type."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": content})


async def send_problem(send: Send, problem: ChatcoreError, request_id: str, headers: Headers) -> None:
    """A refusal, as Django's side of the house would have answered it."""
    named = {"Content-Type": PROBLEM_TYPE} | problem_headers(problem)
    about = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    await send_document(send, problem.status, problem.problem(request_id), headers + about)


async def while_client_stays(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do it to its end, or until the client has gone. Raises what it raises; OSError, if it was writing just then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(client_leaves(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def now_and_then(check: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Awaited before each piece of a stream, it checks every four seconds. It raises what `check` raises."""
    loop = asyncio.get_running_loop()
    checked_at = loop.time()

    async def look() -> None:
        nonlocal checked_at
        if loop.time() - checked_at >= RECHECK_SECONDS:
            await check()
            checked_at = loop.time()

    return look


async def client_leaves(receive: Receive) -> None:
    """Returns when the client has gone. What it still sends is not read."""
    while (await receive())["type"] != "http.disconnect":
        pass
