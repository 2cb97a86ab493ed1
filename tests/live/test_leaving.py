"""Clients that wait, many of them, and clients that leave while they wait: each is forgotten, no reply is lost."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.live.talking import frames_of, start
from tests.live.test_hostile import request
from tests.live.test_replies import wait_for
from tests.running import Chatcore


def watched(chatcore: Chatcore, conversation: str) -> bool:
    """Whether any process follows the conversation: then, and only then, it has joined its group."""
    with redis.Redis.from_url(chatcore.redis_url) as client:
        return bool(client.pubsub_channels(f"*conversation.{conversation}*"))


def asking(chatcore: Chatcore, conversation: str, header: str) -> socket.socket:
    """A connection on which a question has been sent, and nothing is read."""
    body = b'{"content": "Count."}'
    kind = ("Content-Type: application/json", f"Content-Length: {len(body)}", header)
    wire = socket.create_connection(("127.0.0.1", chatcore.ports[0]))
    wire.sendall(
        request(chatcore, f"POST /api/v1/conversations/{conversation}/replies HTTP/1.1", *kind, body=body)
    )
    return wire


@contextmanager
def counting(http: httpx.Client) -> Iterator[str]:
    """A conversation whose replies never end; they are stopped afterwards."""
    conversation = start(http, "endless")
    yield conversation

    def stopped() -> bool:
        messages = http.get(f"/api/v1/conversations/{conversation}/messages/?page_size=200").json()["results"]
        running = [one["id"] for one in messages if one["status"] in ("queued", "streaming")]
        for reply in running:
            http.post(f"/api/v1/replies/{reply}/stop")
        return not running

    wait_for(stopped)


@pytest.mark.parametrize("header", ["Prefer: wait=25", "Accept: text/event-stream"])
def test_whoever_leaves_is_no_longer_watched_for_and_the_reply_goes_on(many: Chatcore, header: str) -> None:
    with many.client() as http, counting(http) as conversation:
        wire = asking(many, conversation, header)
        reply = wait_for(lambda: http.get(f"/api/v1/conversations/{conversation}/").json()["active_leaf"])
        assert watched(many, conversation)
        wire.close()
        wait_for(lambda: not watched(many, conversation))
        assert http.get(f"/api/v1/messages/{reply}/").json()["status"] in ("queued", "streaming")


def test_leaving_at_any_moment_leaves_nothing_behind(many: Chatcore) -> None:
    """Cut before, while and after the view commits, in both ways of waiting."""
    with many.client() as http, counting(http) as conversation:
        for pause in (0.0, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06) * 2:
            wires = [
                asking(many, conversation, header)
                for header in ("Prefer: wait=25", "Accept: text/event-stream")
            ]
            threading.Event().wait(pause)
            for wire in wires:
                wire.close()
        wait_for(lambda: not watched(many, conversation))
        assert http.get("/readyz").status_code == 200


async def test_fifty_that_wait_hold_no_thread_each_and_all_are_answered(one: Chatcore) -> None:
    headers = {"Authorization": f"Bearer {one.key}", "Prefer": "wait=25"}
    async with httpx.AsyncClient(base_url=one.url, headers=headers, timeout=60) as client:
        with one.client() as http:
            conversations = [start(http, "endless") for _ in range(50)]
        before, waiting, replies = threads(one), [], []
        for first in range(0, 50, 10):
            ten = conversations[first : first + 10]
            waiting += [asyncio.create_task(count(client, found)) for found in ten]
            replies += await asyncio.gather(*(asyncio.to_thread(begun, one, found) for found in ten))
        during = threads(one)
        await asyncio.gather(*(client.post(f"/api/v1/replies/{reply}/stop") for reply in replies))
        answers = await asyncio.gather(*waiting)
    assert [answer["reply"]["status"] for answer in answers] == ["stopped"] * 50
    assert during - before < 25


async def count(client: httpx.AsyncClient, conversation: str) -> dict[str, Any]:
    answer = await client.post(f"/api/v1/conversations/{conversation}/replies", json={"content": "Go"})
    found: dict[str, Any] = answer.json()
    return found


def begun(chatcore: Chatcore, conversation: str) -> str:
    """The id of the conversation's reply, once it is being made."""

    def found() -> str | None:
        leaf = http.get(f"/api/v1/conversations/{conversation}/").json()["active_leaf"]
        status = leaf and http.get(f"/api/v1/messages/{leaf}/").json()["status"]
        return str(leaf) if status == "streaming" else None

    with chatcore.client() as http:
        reply: str = wait_for(found)
        return reply


def threads(chatcore: Chatcore) -> int:
    return len(list(Path(f"/proc/{chatcore.processes['up'].pid}/task").iterdir()))


def test_asking_the_same_again_joins_the_reply_where_it_is(one: Chatcore) -> None:
    """A client that lost its stream sends the same client_id, and has the whole text from its beginning."""
    body = {"content": "Go", "client_id": "0190a7c2-0000-7000-8000-000000000001"}
    with one.client() as http:
        address = f"/api/v1/conversations/{start(http, 'long')}/replies"
        reply = http.post(address, json=body).json()["reply"]["id"]
        wait_for(lambda: "word20 " in http.get(f"/api/v1/messages/{reply}/").json()["text"])
        with http.stream("POST", address, json=body, headers={"Accept": "text/event-stream"}) as answer:
            frames = list(frames_of(answer.iter_lines()))
    text = ""
    for frame in frames[:-1]:
        if frame["type"] == "reply.delta":
            assert frame["data"]["offset"] == len(text)
            text += frame["data"]["text"]
    assert text == frames[-1]["data"]["text"] == "".join(f"word{number} " for number in range(200))
