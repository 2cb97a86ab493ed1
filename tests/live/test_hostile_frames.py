"""Frames that mean harm: each is answered as docs/live.md says, or ends its own connection; nobody else notices."""

import asyncio
import json
import socket
from collections import Counter
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.live.talking import live, start
from tests.running import Chatcore
from tests.wire import WEBSOCKET, request

UNKNOWN = "0190a7c2-0000-7000-8000-000000000001"


def frame(**fields: Any) -> str:
    return json.dumps(fields)


REFUSED: dict[str, str | bytes] = {
    "bytes": b"{}",
    "no bytes": b"",
    "nothing": "",
    "null": "null",
    "a number of 10,000 digits": "9" * 10_000,
    "deep lists": "[" * 100_000,
    "deep objects": '{"type": "ping", "data": ' + '{"a": ' * 2_000 + "1" + "}" * 2_002,
    "a type that is a number": frame(type=5),
    "a type that is a list": frame(type=["ping"]),
    "a type with NUL": frame(type="ping\0"),
    "a type that is half a letter": frame(type="\ud800"),
    "a reference that is a number": frame(type="ping", ref=5),
    "a reference that is half a letter": frame(type="ping", ref="\ud800"),
    "data that is a list": frame(type="ping", data=[]),
    "data that is null": frame(type="ping", data=None),
    "data nobody asked for": frame(type="ping", data={"more": 1}),
    "a field that is half a letter": frame(type="ping", data={"\ud800": 1}),
    "another field": frame(type="ping", extra=1),
    "another field that is half a letter": '{"type": "ping", "\\ud800": 1}',
    "a conversation that is no number": '{"type": "subscribe", "data": {"conversation": NaN}}',
    "a conversation with NUL": frame(type="subscribe", data={"conversation": "\0"}),
    "a conversation that is half a letter": frame(type="subscribe", data={"conversation": "\ud800"}),
    "a conversation nobody has": frame(type="subscribe", data={"conversation": UNKNOWN}),
    "a form that is none": frame(type="subscribe", data={"conversation": UNKNOWN, "form": "\0"}),
    "a reply nobody has": frame(type="stop", data={"message": UNKNOWN}),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_frame_that_means_harm_is_refused_and_the_connection_lives(one: Chatcore, name: str) -> None:
    async with live(one) as watcher:
        await watcher.socket.send(REFUSED[name])
        refused = await watcher.until("error")
        assert refused["data"]["code"] in ("malformed", "invalid", "not_found")
        await watcher.send("ping", ref="still here")
        assert (await watcher.until("pong"))["ref"] == "still here"


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udc00 x", "", " ", "x" * 900_000])
async def test_a_message_the_database_cannot_hold_is_refused(one: Chatcore, text: str) -> None:
    with one.client() as http:
        conversation = start(http)
    async with live(one) as watcher:
        await watcher.send("send", ref="1", conversation=conversation, content=text)
        answer = await watcher.until(lambda found: found["type"] in ("error", "result"))
        assert answer["type"] == "error"
        assert answer["data"]["code"] in ("malformed", "invalid", "too_large")
        await watcher.send("ping", ref="still here")
        await watcher.until("pong")


async def test_a_frame_above_a_mebibyte_closes_with_1009_and_nobody_else_notices(one: Chatcore) -> None:
    async with live(one) as other, live(one) as watcher:
        await watcher.until("hello")
        await watcher.socket.send(frame(type="ping", ref="x" * 2**20))
        with pytest.raises(ConnectionClosed) as closed:
            await watcher.until("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        await other.send("ping")
        await other.until("pong")


async def test_a_thousand_subscriptions_are_a_hundred_and_three_too_many_end_it(one: Chatcore) -> None:
    with one.client() as http:
        conversations = [start(http) for _ in range(103)]
    async with live(one) as other, live(one) as watcher:
        for _ in range(10):
            for conversation in conversations[:100]:
                await watcher.send("subscribe", conversation=conversation)
        for conversation in conversations[100:]:
            await watcher.send("subscribe", conversation=conversation)
        with pytest.raises(ConnectionClosed) as closed:
            await watcher.until("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4400
        kinds = Counter(found["type"] for found in watcher.frames)
        assert (kinds["subscribed"], kinds["error"]) == (1_000, 3)
        errors = [found["data"]["code"] for found in watcher.frames if found["type"] == "error"]
        assert errors == ["forbidden"] * 3
        await other.send("ping")
        await other.until("pong")


def masked(first: int, payload: bytes, length: int | None = None) -> bytes:
    """One frame of a client; the mask is all zeros."""
    size = len(payload) if length is None else length
    head = bytes([first, 0x80 | size]) if size < 126 else bytes([first, 0xFE]) + size.to_bytes(2, "big")
    return head + bytes(4) + payload


BROKEN = {
    "no mask": (b"\x81\x02{}", 1002),
    "a kind that is none": (masked(0x83, b"{}"), 1002),
    "compressed though nobody agreed": (masked(0xC1, b"{}"), 1002),
    "a continuation of nothing": (masked(0x80, b"{}"), 1002),
    "a ping in pieces": (masked(0x09, b""), 1002),
    "a ping of 200 bytes": (masked(0x89, bytes(200)), 1002),
    "a goodbye of one byte": (masked(0x88, b"\x03"), 1002),
    "a goodbye with a code that is none": (masked(0x88, b"\x00\x05"), 1002),
    "a length of exabytes": (b"\x81\xff" + b"\x7f" + b"\xff" * 7 + bytes(4), 1009),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_websocket_frame_closes_its_connection(one: Chatcore, name: str) -> None:
    sent, code = BROKEN[name]
    address = ("127.0.0.1", one.ports[0])
    async with live(one) as other:
        said = await asyncio.to_thread(broken, address, one.key, sent)
        assert b"\x88" in said
        goodbye = said[said.rindex(b"\x88") :]
        assert int.from_bytes(goodbye[2:4], "big") == code
        await other.send("ping")
        await other.until("pong")


def broken(address: tuple[str, int], key: str, sent: bytes) -> bytes:
    """All that the server says after its greeting."""
    with socket.create_connection(address, timeout=60) as wire:
        wire.sendall(request(WEBSOCKET, address, "/ws/", key).encode())
        said = b""
        while b'"cursor":' not in said or not said.endswith(b"}"):
            said += wire.recv(65_536)
        wire.sendall(sent)
        last = b""
        while piece := wire.recv(65_536):
            last += piece
        return last
