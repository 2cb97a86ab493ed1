"""Answers that are given after the view: written, streamed, and always closed, whatever happens on the way."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse

from chatcore.realtime.handover import Continuation, HandOver, JsonAnswer, hand_over
from chatcore.realtime.plain_asgi import Application

HEADERS = [(b"X-Request-Id", b"req_1"), (b"Content-Length", b"0"), (b"Content-Type", b"text/html")]


class Client:
    """The other end of a connection: what it was sent, and when it leaves."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.got = asyncio.Event()
        self.left = asyncio.Event()
        self.closed = 0

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.got.set()

    def close(self) -> None:
        self.closed += 1

    async def ask(self, application: Application) -> None:
        await HandOver(application)({"type": "http"}, self.receive, self.send)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent[1:]).decode()


def answering(continuation: Continuation, then: Callable[[], None] = lambda: None) -> Application:
    """An application whose view hands over; `then` is what happens between the view and its answer."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        request = HttpRequest()
        request.scope = scope  # type: ignore[attr-defined]
        response = hand_over(request, continuation)
        then()
        await write(response, send)

    return application


async def write(response: HttpResponse, send: Any) -> None:
    marks = [(name.encode(), value.encode()) for name, value in response.items()]
    headers = [pair for pair in marks if pair[0] != b"Content-Type"] + HEADERS
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


async def pieces() -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"
    yield b"data: 2\n\n"


async def away() -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"
    raise OperationalError("secret")


async def endless() -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"
    await asyncio.Event().wait()


async def test_an_answer_keeps_the_views_headers_but_not_its_mark() -> None:
    client = Client()

    async def answer() -> JsonAnswer:
        return JsonAnswer(202, {"text": "später"})

    await client.ask(answering(Continuation(client.close, answer=answer)))

    assert client.sent[0]["status"] == 202
    assert client.headers == {
        "x-request-id": "req_1",
        "content-type": "application/json",
        "content-length": str(len(client.body.encode())),
    }
    assert json.loads(client.body) == {"text": "später"}
    assert client.closed == 1


async def test_a_stream_is_written_piece_by_piece() -> None:
    client = Client()
    await client.ask(answering(Continuation(client.close, events=pieces)))
    assert client.headers["content-type"] == "text/event-stream"
    assert [message.get("body") for message in client.sent[1:]] == [b"data: 1\n\n", b"data: 2\n\n", b""]
    assert client.closed == 1


async def test_whoever_leaves_a_stream_ends_it() -> None:
    client = Client()
    asking = asyncio.create_task(client.ask(answering(Continuation(client.close, events=endless))))
    await client.got.wait()
    client.left.set()
    await asking
    assert client.closed == 1


async def test_a_view_whose_answer_is_never_sent_is_closed() -> None:
    """The client goes away while what surrounds the view still works on its answer."""
    client = Client()

    def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await client.ask(answering(Continuation(client.close, events=endless), then=cancelled))
    assert (client.closed, client.sent) == (1, [])


async def test_a_view_whose_answer_is_replaced_is_closed() -> None:
    client = Client()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        request = HttpRequest()
        request.scope = scope  # type: ignore[attr-defined]
        hand_over(request, Continuation(client.close, events=endless))
        await write(HttpResponse("replaced", status=500), send)

    await client.ask(application)
    assert (client.sent[0]["status"], client.body, client.closed) == (500, "replaced", 1)


async def test_other_answers_pass_untouched() -> None:
    client = Client()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await write(HttpResponse("plain", status=418), send)

    await client.ask(application)
    assert (client.sent[0]["status"], client.body, client.closed) == (418, "plain", 0)


async def test_a_database_that_goes_away_while_somebody_waits_is_a_problem_too() -> None:
    client = Client()

    async def answer() -> JsonAnswer:
        raise OperationalError("secret")

    await client.ask(answering(Continuation(client.close, answer=answer)))

    assert client.sent[0]["status"] == 503
    assert client.headers["content-type"] == "application/problem+json"
    assert client.headers["retry-after"] == "2"
    problem = json.loads(client.body)
    assert (problem["code"], problem["instance"]) == ("unavailable", "req_1")
    assert client.closed == 1


async def test_a_stream_that_fails_ends_with_the_problem() -> None:
    client = Client()
    await client.ask(answering(Continuation(client.close, events=away)))
    first, last = client.body.strip().split("\n\n")
    assert first == "data: 1"
    assert last.startswith("event: error\ndata: ")
    assert json.loads(last.partition("data: ")[2])["data"]["code"] == "unavailable"
    assert "secret" not in client.body
    assert client.closed == 1


async def test_a_defect_is_not_hidden_and_still_closes() -> None:
    client = Client()

    async def answer() -> JsonAnswer:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        await client.ask(answering(Continuation(client.close, answer=answer)))
    assert client.closed == 1
