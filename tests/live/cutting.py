"""Clients that are cut at random moments and resume by their newest cursor, while events are written out of order.

The full size is a benchmark (bench/m01_gapless.py), a smaller one a test.
"""

import asyncio
import contextlib
import json
import random
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from chatcore import embedded
from tests.running import OWNER, Chatcore
from tests.servers import data_folder

WRITERS = 8
Frames = AsyncGenerator[tuple[str | None, dict[str, Any]], None]

# Each transaction takes its ids, then stays open for a moment of its own: they commit in another order than they
# number. One in six is rolled back; one in four writes several events.
WRITE = """
import random, uuid
from concurrent.futures import ThreadPoolExecutor
from django.db import connection, transaction
from chatcore.accounts.models import Membership
from chatcore.realtime.log import Announcement, announce
from conversations.events import MessageDeleted

conversation, each, pause = uuid.UUID({conversation!r}), {each!r}, {pause!r}
owner = Membership.objects.get(user__email={owner!r})

def event():
    return Announcement(
        body=MessageDeleted(message=uuid.uuid4(), parent=None), workspace=owner.workspace_id,
        conversation=conversation, actor="system", audience=(owner.user_id,),
    )

def write(seed):
    chance, written = random.Random(seed), 0
    while written < each:
        count = min(chance.choice([1, 1, 1, 3]), each - written)
        undone = chance.random() < 1 / 6
        with transaction.atomic():
            announce(*(event() for _ in range(count)))
            with connection.cursor() as sql:
                sql.execute("select pg_sleep(%s)", [chance.random() ** 3 * pause])
            transaction.set_rollback(undone)
        written += 0 if undone else count
    connection.close()

with ThreadPoolExecutor({writers}) as threads:
    list(threads.map(write, range({writers})))
"""


@dataclass
class Ordeal:
    """What is asked of an installation. Cuts are for each client."""

    clients: int
    cuts: int
    events: int
    pause: float  # seconds a transaction stays open at most
    open_for: float  # seconds a connection lasts at most
    seconds: float  # for everybody to have everything, once all is written
    seed: int = 1

    async def run(self, chatcore: Chatcore) -> "Outcome":
        conversation = str(uuid.uuid4())
        chance = random.Random(self.seed)
        with chatcore.client() as http:
            cursor = http.get("/api/v1/events").json()["cursor"]
        clients = [
            Client(chatcore, conversation, cursor, random.Random(chance.random()), KINDS[number % 2])
            for number in range(self.clients)
        ]
        following = [asyncio.create_task(client.follow(self.cuts, self.open_for)) for client in clients]
        try:
            await asyncio.to_thread(self._write, chatcore, conversation)
            expected = await asyncio.to_thread(events_of, chatcore, conversation)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.seconds):
                    for client in clients:
                        await client.until(expected)
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
        return Outcome(expected, clients)

    def _write(self, chatcore: Chatcore, conversation: str) -> None:
        values = {
            "conversation": conversation,
            "owner": OWNER,
            "each": self.events // WRITERS,
            "pause": self.pause,
            "writers": WRITERS,
        }
        chatcore.manage("shell", "--no-imports", "-c", WRITE.format(**values))


@dataclass
class Client:
    """Keeps the newest cursor and drops an event it has had, as docs/events.md says."""

    chatcore: Chatcore
    conversation: str
    cursor: str
    chance: random.Random
    kind: str
    had: list[int] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    repeats: int = 0  # within one connection: the server owes none
    cuts: int = 0
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = asyncio.Event()
        self._all_cuts_made = asyncio.Event()

    async def follow(self, cuts: int, open_for: float) -> None:
        """Once there is news, be cut that often, then stay."""
        first = asyncio.create_task(self._listen())
        await self._news.wait()
        first.cancel()
        while self.cuts < cuts:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.chance.random() * open_for):
                    await self._listen()
            self.cuts += 1
        self._all_cuts_made.set()
        while True:
            await self._listen()

    async def until(self, expected: list[int]) -> None:
        """All cuts made, and every event had."""
        await self._all_cuts_made.wait()
        while not self.known.issuperset(expected):
            self._news.clear()
            await self._news.wait()

    async def _listen(self) -> None:
        here: set[int] = set()
        url = self.chance.choice(self.chatcore.urls)
        frames = OPENED[self.kind](url, self.chatcore.key, self.cursor)
        try:
            async with contextlib.aclosing(frames):
                async for cursor, frame in frames:
                    self._take(cursor, frame, here)
        except (OSError, WebSocketException, asyncio.IncompleteReadError) as error:
            self.refused.append(repr(error))
            await asyncio.sleep(0.1)

    def _take(self, cursor: str | None, frame: dict[str, Any], here: set[int]) -> None:
        self.cursor = cursor or self.cursor
        if frame["type"] in ("resync", "error"):
            self.refused.append(str(frame))
        if frame.get("conversation") != self.conversation or "id" not in frame:
            return
        self.repeats += frame["id"] in here
        here.add(frame["id"])
        if frame["id"] not in self.known:
            self.known.add(frame["id"])
            self.had.append(frame["id"])
            self._news.set()


@dataclass
class Outcome:
    """What the table holds, and what each client made of it."""

    expected: list[int]
    clients: list[Client]

    @property
    def faults(self) -> list[str]:
        """One line for each client that has not exactly the table's events."""
        told = []
        for number, client in enumerate(self.clients):
            missing = sorted(set(self.expected) - client.known)
            invented = sorted(client.known - set(self.expected))
            if missing or invented or client.repeats or client.refused:
                told.append(
                    f"{client.kind} {number} after {client.cuts} cuts: {len(missing)} missing {missing[:9]}, never "
                    f"committed {invented[:9]}, {client.repeats} repeated, refused {client.refused[:3]}"
                )
        return told


async def _websocket(url: str, key: str, cursor: str) -> Frames:
    address = f"{url.replace('http', 'ws')}/ws/?after={cursor}"
    headers = {"Authorization": f"Bearer {key}"}
    patient = {"ping_interval": None, "open_timeout": None}  # a busy machine is no loss
    socket = await connect(address, additional_headers=headers, compression=None, **patient)
    try:
        async for text in socket:
            frame = json.loads(text)
            cursor_here = frame["data"].get("cursor") if frame["type"] == "hello" else frame.get("cursor")
            yield cursor_here, frame
    finally:
        socket.transport.abort()


async def _server_sent(url: str, key: str, cursor: str) -> Frames:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2**20)
    try:
        lines = (
            "GET /events/ HTTP/1.1",
            f"Host: {place.netloc}",
            f"Authorization: Bearer {key}",
            f"Last-Event-ID: {cursor}",
        )
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.decode("latin-1"))
        position = None
        while line := await reader.readline():
            if line.startswith(b"id: "):
                position = line[4:].strip().decode()
            elif line.startswith(b"data: ") and line.endswith(b"\n"):
                yield position, json.loads(line[6:])
                position = None
    finally:
        writer.transport.abort()


OPENED = {"websocket": _websocket, "server-sent": _server_sent}
KINDS = tuple(OPENED)


def events_of(chatcore: Chatcore, conversation: str) -> list[int]:
    """The ids in the table, in the order of the log."""
    where = embedded.connection_settings(data_folder())
    query = "select id from realtime_event where conversation_id = %s order by xid, id"
    with psycopg.connect(host=where["HOST"], user=where["USER"], dbname=chatcore.database) as connection:
        return [row[0] for row in connection.execute(query, [conversation])]
