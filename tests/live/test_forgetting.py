"""Whoever has gone is forgotten: no session, task, group or subscription of theirs stays in the process."""

import asyncio
import random

import pytest
from pytest_django import Settings

from chatcore.realtime.connections import open_sessions
from chatcore.realtime.hub import hub
from tests.serving import Address, serving, sessions_in_memory
from tests.until import until
from tests.wire import SSE, WEBSOCKET, WEBSOCKET_CLOSE, request

CONNECTIONS, AT_ONCE = 500, 50


@pytest.fixture(params=["alone", "with Redis"])
def form(request: pytest.FixtureRequest, settings: Settings) -> str:
    if request.param == "with Redis":
        settings.REDIS_URL = url = request.getfixturevalue("redis_url")
        backend = "chatcore.realtime.layer.PubSubLayer"
        settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [url]}}}
    return str(request.param)


async def visit(address: Address, key: str, chance: random.Random) -> None:
    """Connect in one of two ways and leave in one of three, at any moment from the first byte on."""
    kind, path = chance.choice([(SSE, "/events/"), (WEBSOCKET, "/ws/")])
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request(kind, address, path, key).encode())
    how = chance.choice(["at any moment", "when greeted", "with a goodbye"])
    if how == "at any moment":
        await asyncio.sleep(chance.random() * 0.1)
        writer.transport.abort()
        return
    await reader.readuntil(b'"cursor":')
    if how == "with a goodbye" and kind is WEBSOCKET:
        writer.write(WEBSOCKET_CLOSE)
    writer.close()


async def test_after_five_hundred_visits_everything_is_back_to_nothing(owner_key: str, form: str) -> None:
    chance = random.Random(6)
    places = asyncio.Semaphore(AT_ONCE)
    of_earlier_tests = sessions_in_memory()

    async def one_visit(address: Address) -> None:
        async with places:
            await visit(address, owner_key, chance)

    async with serving() as address:
        for _ in range(3):
            await one_visit(address)
        await until(lambda: not open_sessions and not hub.groups)
        await asyncio.sleep(0.1)
        tasks = len(asyncio.all_tasks())
        await asyncio.gather(*(one_visit(address) for _ in range(CONNECTIONS)))
        await until(lambda: not open_sessions)
        await until(lambda: not hub.groups and not hub._joined)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await until(lambda: sessions_in_memory() <= of_earlier_tests)
