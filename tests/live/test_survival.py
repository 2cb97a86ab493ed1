"""What dies, dies alone: a worker, the network, the server."""

import asyncio
from pathlib import Path

import pytest

from tests.live.conftest import LONG, scripts
from tests.live.talking import ask, heard_to_the_end, live, start
from tests.live.test_replies import wait_for_end
from tests.running import Chatcore, administration
from tests.servers import RedisServer


@pytest.mark.xdist_group("survival")
async def test_a_killed_workers_reply_is_made_anew_and_whole(gates: Path, redis_url: str) -> None:
    """Also where only one may run at a time: the dead worker's place is free again."""
    limits = {"long": {"max_concurrent": 1}}
    with (
        Chatcore(scripts=scripts(gates), redis_url=redis_url, limits=limits) as chatcore,
        chatcore.client() as http,
    ):
        conversation = start(http, "long")
        async with live(chatcore) as watcher:
            await watcher.send("subscribe", conversation=conversation)
            await watcher.until("subscribed")
            reply = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
            await watcher.until(lambda frame: "word50 " in frame["data"].get("text", ""))

            chatcore.kill("worker0")
            chatcore.start()

            restarted = await watcher.until("reply.restarted", conversation)
            ended = await watcher.until("reply.completed", conversation)

        assert restarted["data"]["attempt"] == 2
        assert ended["data"]["text"] == LONG
        assert watcher.text_of(reply) == LONG
        read = http.get(f"/api/v1/messages/{reply}/").json()
        assert (read["status"], read["text"], read["attempt"]) == ("done", LONG, 2)
        nodes = http.get(f"/api/v1/conversations/{conversation}/messages/").json()["results"]
        assert len(nodes) == 2


@pytest.mark.xdist_group("survival")
async def test_a_server_that_stops_says_when_to_come_back_and_loses_nothing(gates: Path) -> None:
    with Chatcore(scripts=scripts(gates)) as chatcore:
        with chatcore.client() as http:
            conversation = start(http, "long")
            listening = asyncio.create_task(asyncio.to_thread(heard_to_the_end, chatcore.url, chatcore.key))
            async with live(chatcore) as watcher:
                cursor = (await watcher.until("hello"))["data"]["cursor"]
                await watcher.send("subscribe", conversation=conversation)
                await watcher.until("subscribed")
                reply = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
                await watcher.until(lambda frame: "word50 " in frame["data"].get("text", ""))
                stopping = asyncio.create_task(asyncio.to_thread(chatcore.stop, "up"))
                goodbye = await watcher.until("reconnect")
                assert await stopping == 0
                assert (await listening)[-1] == "reconnect"

        assert 0 <= goodbye["data"]["after"] <= 5
        chatcore.start()
        async with live(chatcore, after=cursor) as watcher:
            ended = await watcher.until("reply.completed", conversation)
        assert ended["data"]["text"] == LONG
        with chatcore.client() as http:
            assert wait_for_end(http, reply)["status"] == "done"


@pytest.mark.xdist_group("survival")
async def test_a_database_that_drops_every_connection_costs_no_word(gates: Path) -> None:
    with Chatcore(scripts=scripts(gates)) as chatcore, chatcore.client() as http:
        conversation = start(http, "long")
        async with live(chatcore) as watcher:
            await watcher.send("subscribe", conversation=conversation)
            await watcher.until("subscribed")
            reply = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
            for word in ("word30 ", "word60 ", "word90 "):
                await watcher.until(lambda frame, word=word: word in frame["data"].get("text", ""))
                await asyncio.to_thread(cut_connections, chatcore.database)
            ended = await watcher.until("reply.completed", conversation)
        assert ended["data"]["text"] == LONG
        assert watcher.text_of(reply) == LONG
        assert wait_for_end(http, reply)["attempt"] == 1


@pytest.mark.xdist_group("survival")
async def test_a_redis_that_restarts_loses_nothing_durable(gates: Path) -> None:
    with (
        RedisServer() as redis,
        Chatcore(scripts=scripts(gates), redis_url=redis.url) as chatcore,
        chatcore.client() as http,
    ):
        conversation = start(http, "long")
        async with live(chatcore) as watcher:
            await watcher.send("subscribe", conversation=conversation)
            await watcher.until("subscribed")
            reply = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
            await watcher.until(lambda frame: "word30 " in frame["data"].get("text", ""))
            await asyncio.to_thread(redis.stop)
            await asyncio.to_thread(redis.start)
            ended = await watcher.until("reply.completed", conversation)
        assert ended["data"]["text"] == LONG
        assert wait_for_end(http, reply)["attempt"] == 1
        async with live(chatcore) as again:
            await again.send("subscribe", conversation=conversation)
            await again.until("subscribed")
            second = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
            await again.until("reply.completed", conversation)
        assert again.text_of(second) == LONG


def cut_connections(database: str) -> None:
    """Returns once they are gone: until then they answer, and break off in the middle of it."""
    with administration() as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 20000) from pg_stat_activity where datname = %s", [database]
        )
