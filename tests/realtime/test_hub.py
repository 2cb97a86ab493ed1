"""The hub over a real Redis: frames cross processes, and an outage is survived."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
import redis
from pytest_django import Settings

from chatcore.realtime.frames import Frame
from chatcore.realtime.hub import Hub
from tests.servers import RedisServer


class Ears:
    """A watcher that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Frame] = asyncio.Queue()

    def receive(self, frame: Frame) -> None:
        self.heard.put_nowait(frame)

    async def next(self) -> dict[str, object]:
        async with asyncio.timeout(60):
            return dict((await self.heard.get()).body)


@pytest_asyncio.fixture
async def pair(settings: Settings) -> AsyncIterator[tuple[Hub, Hub, RedisServer]]:
    """Two hubs, as of two processes, and their Redis."""
    with RedisServer() as server:
        settings.REDIS_URL = server.url
        backend = "chatcore.realtime.layer.PubSubLayer"
        settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [server.url]}}}
        one, other = Hub(), Hub()
        await one.start()
        await other.start()
        yield one, other, server
        await one.stop()
        await other.stop()


async def test_what_one_process_publishes_another_hears_in_order(pair: tuple[Hub, Hub, RedisServer]) -> None:
    one, other, _ = pair
    ears = Ears()
    await heard_from(one, other, ears, "room")
    for number in range(500):
        one.publish(["room"], {"type": "count", "data": {"number": number}})
    assert [(await ears.next())["data"] for _ in range(500)] == [{"number": number} for number in range(500)]


async def test_an_event_is_delivered_once_whichever_way_it_comes(pair: tuple[Hub, Hub, RedisServer]) -> None:
    one, _, _ = pair
    ears = Ears()
    await one.join(ears, "room")
    for _ in range(3):
        one.deliver("room", {"type": "happened", "id": 7, "data": {}})
    one.deliver("room", {"type": "happened", "id": 8, "data": {}})
    assert [(await ears.next())["id"] for _ in range(2)] == [7, 8]


async def test_after_an_outage_of_redis_the_groups_are_joined_again(
    pair: tuple[Hub, Hub, RedisServer],
) -> None:
    one, other, server = pair
    ears, late = Ears(), Ears()
    await heard_from(one, other, ears, "room")

    await asyncio.to_thread(server.stop)
    one.publish(["room"], {"type": "lost", "data": {}})
    await other.join(late, "joined meanwhile")
    await asyncio.to_thread(server.start)

    await heard_from(one, other, ears, "room")
    await heard_from(one, other, late, "joined meanwhile")


async def test_many_who_join_or_leave_at_once_cost_redis_a_command(
    pair: tuple[Hub, Hub, RedisServer],
) -> None:
    one, other, server = pair
    ears, rooms = Ears(), [f"room {number}" for number in range(100)]
    await heard_from(other, one, ears, "hall")
    before = commands(server, "subscribe")

    await asyncio.gather(*(one.join(ears, room) for room in rooms))
    for room in rooms:
        await heard_from(other, one, ears, room)
    assert commands(server, "subscribe") - before == 1

    for room in rooms:
        one.leave(ears, room)
    async with asyncio.timeout(60):
        while groups(server) > 1 + len(other.groups):
            await asyncio.sleep(0.05)
    assert commands(server, "unsubscribe") == 1


async def test_what_is_for_many_groups_is_one_message_of_which_each_process_takes_its_own(
    pair: tuple[Hub, Hub, RedisServer],
) -> None:
    one, other, server = pair
    ears, elsewhere, rooms = Ears(), Ears(), [f"room {number}" for number in range(40)]
    for room in rooms[::2]:
        await heard_from(one, other, ears, room)
    await heard_from(other, one, elsewhere, rooms[1])
    before = commands(server, "publish")

    one.publish_many([([room], {"type": "told", "data": {"room": room}}) for room in rooms])
    one.publish(rooms[:1], {"type": "told", "data": {"room": "the first again"}})

    told = [(await ears.next())["data"] for _ in range(21)]
    assert told == [{"room": room} for room in (rooms[0], "the first again", *rooms[2::2])]
    assert (await elsewhere.next())["data"] == {"room": rooms[1]}
    assert ears.heard.empty()
    assert elsewhere.heard.empty()
    assert commands(server, "publish") - before == 1


async def test_who_only_listens_to_control_is_sent_nothing_else(pair: tuple[Hub, Hub, RedisServer]) -> None:
    worker, web, server = pair
    ears, page, rooms = Ears(), Ears(), [f"room {number}" for number in range(40)]
    await heard_from(web, worker, ears, "control.queue")
    web.publish_many([([room], {"type": "told", "data": {}}) for room in rooms])
    web.publish(["control.queue"], {"type": "rung", "data": {}})
    assert (await ears.next())["type"] == "rung"
    assert listeners(server, "asgi__everybody") == 0

    await heard_from(worker, web, page, rooms[0])
    assert listeners(server, "asgi__everybody") == 1


def listeners(server: RedisServer, channel: str) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.pubsub_numsub(channel)[0][1])


def commands(server: RedisServer, name: str) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.info("commandstats").get(f"cmdstat_{name}", {}).get("calls", 0))


def groups(server: RedisServer) -> int:
    with redis.Redis.from_url(server.url) as client:
        return sum(b"__group__" in channel for channel in client.pubsub_channels())


async def heard_from(one: Hub, other: Hub, ears: Ears, group: str) -> None:
    """Knock until it is heard, to the last knock: joining takes a moment, and so does coming back."""
    await other.join(ears, group)
    knocks = 0
    async with asyncio.timeout(60):
        while ears.heard.empty():
            knocks += 1
            one.publish([group], {"type": "knock", "data": {"number": knocks}})
            await asyncio.sleep(0.05)
        while (await ears.next())["data"] != {"number": knocks}:
            pass
