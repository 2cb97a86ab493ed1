"""The event stream at /events/ and the page of events: the WebSocket's frames for clients that only listen."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from chatcore.realtime.catalogue import check
from tests.live.talking import ask, start
from tests.running import Chatcore


class Stream:
    """An open stream of server-sent events, read one by one."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.lines = answer.iter_lines()
        self.last_id = ""
        self.frames: list[dict[str, Any]] = []

    def next(self) -> dict[str, Any]:
        """The next frame; the stream's own `event` and `id` must be what the frame says."""
        fields: dict[str, str] = {}
        for line in self.lines:
            name, _, value = line.partition(": ")
            if not line and "data" in fields:
                break
            if line and name:
                fields[name] = value
        frame: dict[str, Any] = httpx.Response(200, text=fields["data"]).json()
        assert check(frame).type == fields["event"]
        self.last_id = fields.get("id", self.last_id)
        self.frames.append(frame)
        return frame

    def until(self, kind: str) -> dict[str, Any]:
        while (frame := self.next())["type"] != kind:
            pass
        return frame


@contextmanager
def listening(http: httpx.Client, last_id: str = "", **query: str) -> Iterator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with http.stream("GET", "/events/", params=query, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        yield Stream(answer)


def kinds(frames: list[dict[str, Any]], conversation: str) -> list[str]:
    return [frame["type"] for frame in frames if "id" in frame and frame["conversation"] == conversation]


WHOLE = ["conversation.created", "message.created", "reply.queued", "reply.started", "reply.completed"]


def test_a_stream_tells_what_happens_and_the_poll_the_same(chatcore: Chatcore) -> None:
    with chatcore.client() as http, chatcore.client(chatcore.webs - 1) as other:
        begin = http.get("/api/v1/events").json()["cursor"]
        with listening(other) as stream:
            assert stream.next()["type"] == "hello"
            conversation = start(http, title="Given")
            ask(http, conversation)
            while not {*WHOLE} <= {*kinds(stream.frames, conversation)}:
                stream.next()
        polled = everything_since(http, begin, conversation)
    assert kinds(polled, conversation) == WHOLE
    assert sorted(kinds(stream.frames, conversation)) == sorted(WHOLE), "of several processes in either order"


def everything_since(http: httpx.Client, cursor: str, conversation: str) -> list[dict[str, Any]]:
    """Until the conversation's reply is whole."""
    found: list[dict[str, Any]] = []
    while True:
        page = http.get("/api/v1/events", params={"after": cursor, "limit": 3}).json()
        found += page["results"]
        cursor = page["cursor"]
        if not page["has_more"] and "reply.completed" in kinds(found, conversation):
            return found


def test_one_conversation_is_followed_with_its_words_as_they_grow(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        conversation, elsewhere = start(http), start(http)
        with listening(http, conversation=conversation) as stream:
            stream.until("subscribed")
            ask(http, elsewhere, Prefer="wait=20")
            reply = ask(http, conversation, "Hi").json()["reply"]["id"]
            ended = stream.until("reply.completed")
    deltas = [frame["data"] for frame in stream.frames if frame["type"] == "reply.delta"]
    assert {delta["message"] for delta in deltas} == {reply}
    assert "".join(delta["text"] for delta in deltas) == ended["data"]["text"]
    assert {frame["conversation"] for frame in stream.frames if "conversation" in frame} == {conversation}


@pytest.mark.parametrize("way", ["header", "query"])
def test_after_a_cut_the_last_id_brings_what_was_missed_once(chatcore: Chatcore, way: str) -> None:
    with chatcore.client() as http:
        with listening(http) as first:
            first.until("hello")
        conversation = start(http, title="Given")
        ask(http, conversation, Prefer="wait=20")
        resume = {"last_id": first.last_id} if way == "header" else {"after": first.last_id}
        with listening(http, **resume) as second:
            while "reply.completed" not in kinds(second.frames, conversation):
                second.next()
        with listening(http, last_id=second.last_id) as third:
            third.until("hello")
    assert kinds(second.frames, conversation) == WHOLE
    again, known = (
        {frame["id"] for frame in stream.frames if "id" in frame and frame["conversation"] == conversation}
        for stream in (third, second)
    )
    assert again <= known, "what is known may be told twice"


def test_refusals_are_problems_before_the_first_byte(one: Chatcore) -> None:
    with one.client() as http, httpx.Client(base_url=one.url, timeout=60) as stranger:
        refused = [
            (stranger.get("/events/"), 401, "unauthenticated"),
            (stranger.get("/events"), 404, "not_found"),
            (stranger.get("/ws/"), 426, "upgrade_required"),
            (http.post("/events/"), 405, "method_not_allowed"),
            (http.get("/events/", params={"after": "forged.cursor"}), 400, "malformed"),
            (http.get("/events/", params={"conversation": "nonsense"}), 422, "invalid"),
            (http.get("/events/", params={"conversation": str(uuid.uuid4())}), 404, "not_found"),
            (http.get("/api/v1/events", params={"after": "forged.cursor"}), 400, "malformed"),
            (http.get("/api/v1/events", params={"limit": "0"}), 422, "invalid"),
            (http.get("/api/v1/events", params={"conversation": str(uuid.uuid4())}), 404, "not_found"),
        ]
    for answer, status, code in refused:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.request.url
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_reply_is_followed_by_its_own_address(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        conversation = start(http, "long")
        reply = ask(http, conversation).json()["reply"]["id"]
        with http.stream("GET", f"/api/v1/replies/{reply}/events") as answer:
            stream = Stream(answer)
            ended = stream.until("reply.completed")
        text = "".join(frame["data"]["text"] for frame in stream.frames if frame["type"] == "reply.delta")
        assert text == ended["data"]["text"]
        with http.stream("GET", f"/api/v1/replies/{reply}/events") as again:
            assert Stream(again).next()["data"]["text"] == text
        assert http.get(f"/api/v1/replies/{uuid.uuid4()}/events").status_code == 404
