"""Who is there, over Redis: many at once, after a restart, and when Redis stands still."""

import asyncio
import os
import signal
import uuid
from typing import Any

import redis.asyncio

from chatcore.accounts.models import User, Workspace
from chatcore.accounts.principals import Principal
from chatcore.realtime.hub import hub
from chatcore.realtime.presence import Presence
from tests.servers import RedisServer
from tests.until import until

MANY = 500


class Session:
    wish = "online"

    def __init__(self, number: int) -> None:
        self.principal = Principal(User(id=uuid.UUID(int=number)), Workspace(), None, frozenset(), "member")


def session(number: int) -> Any:
    return Session(number)


async def test_many_who_come_and_stay_share_few_connections_and_leave_with_the_process(settings: Any) -> None:
    settings.REDIS_PREFIX = "crowd"
    with RedisServer() as server:
        settings.REDIS_URL = server.url
        crowd, here = [session(number) for number in range(MANY)], Presence()
        for one in crowd:
            here.opened(one)
        last = crowd[-1].principal.author

        async def is_last_shown() -> bool:
            return (await here.states([last]))[last] == "online"

        await until(is_last_shown)
        here.beat(1e9)
        async with redis.asyncio.Redis.from_url(server.url) as observer:
            connections = len(await observer.client_list())
        for one in crowd:
            here.closed(one)
        await here.stop()
        elsewhere = Presence()
        states = await elsewhere.states([one.principal.author for one in crowd])
        await elsewhere.stop()
        await hub.stop()
    assert connections < 20
    assert set(states.values()) == {"offline"}


async def test_stopping_waits_for_no_redis_that_stands_still(settings: Any) -> None:
    settings.REDIS_PREFIX = "still"
    with RedisServer() as server:
        settings.REDIS_URL = server.url
        here = Presence()
        crowd = [session(number) for number in range(MANY)]
        for one in crowd:
            here.opened(one)
        await asyncio.sleep(0)
        process = server._process
        assert process
        os.kill(process.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(15):
                await here.stop()
        finally:
            os.kill(process.pid, signal.SIGCONT)
    await hub.stop()
