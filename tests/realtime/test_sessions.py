"""A live session's way from what was missed to what is new, where the order of commits is against it."""

import asyncio
import json
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from chatcore.ids import uuid7
from chatcore.realtime import cursors
from chatcore.realtime.catalogue import EventBody
from chatcore.realtime.feeds import Feed
from chatcore.realtime.hub import hub
from chatcore.realtime.log import Announcement, announce
from chatcore.realtime.outgoing import BUFFER_BYTES, Outgoing
from chatcore.realtime.sessions import LiveSession
from chatcore.realtime.tail import tail
from tests.until import until

WORKSPACE, READER = uuid7(), uuid7()
FEED = Feed(WORKSPACE, READER)


class Noted(EventBody, type="test.noted"):
    number: int


class Said(EventBody, type="test.said"):
    text: str


class Transport:
    async def begin(self) -> None: ...
    async def revoked(self) -> None: ...
    async def going_away(self) -> None: ...
    def beat(self, now: float) -> None: ...


class Client:
    """A session whose frames are kept."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        outgoing = Outgoing(lambda frame: frame.text, self.write, self.write_nothing)
        self.session = LiveSession({"headers": []}, Transport(), outgoing)

    async def write(self, text: str) -> None:
        self.frames.append(json.loads(text))

    async def write_nothing(self) -> None: ...

    @property
    def numbers(self) -> list[int]:
        return [frame["data"]["number"] for frame in self.frames if frame["type"] == "test.noted"]


def note(number: int) -> None:
    body = Noted(number=number)
    announce(
        Announcement(body=body, workspace=WORKSPACE, conversation=None, actor="system", audience=(READER,))
    )


def write_late(number: int, written: threading.Event, commit: threading.Event) -> None:
    with transaction.atomic():
        note(number)
        written.set()
        commit.wait(20)
    connection.close()


@pytest.mark.django_db(transaction=True)
async def test_one_that_joins_has_what_was_told_while_an_older_transaction_was_open() -> None:
    """The early event was told to the first reader before the second came, and stands above the horizon."""
    begin = await asyncio.to_thread(lambda: cursors.encode(cursors.now()))
    first, second = Client(), Client()
    await first.session.follow(FEED, begin)
    written, commit = threading.Event(), threading.Event()
    writing = asyncio.create_task(asyncio.to_thread(write_late, 1, written, commit))
    await asyncio.to_thread(written.wait, 20)
    await asyncio.to_thread(note, 2)
    await until(lambda: first.numbers == [2])
    await second.session.follow(FEED, begin)
    await until(lambda: second.numbers == [2])
    assert all("cursor" not in frame for frame in second.frames)
    commit.set()
    await writing
    await until(lambda: second.numbers == [2, 1])
    for client in (first, second):
        client.session.close()
    await tail.stop()
    await hub.stop()


@pytest.mark.django_db(transaction=True)
async def test_one_that_was_away_while_much_was_said_has_all_of_it() -> None:
    begin = await asyncio.to_thread(lambda: cursors.encode(cursors.now()))
    await asyncio.to_thread(say_much, 20, BUFFER_BYTES // 10)
    client = Client()
    await client.session.follow(FEED, begin)
    await until(lambda: len(client.frames) == 21)
    client.session.close()
    await tail.stop()
    await hub.stop()


def say_much(times: int, size: int) -> None:
    body = Said(text="x" * size)
    for _ in range(times):
        announce(
            Announcement(
                body=body, workspace=WORKSPACE, conversation=None, actor="system", audience=(READER,)
            )
        )
