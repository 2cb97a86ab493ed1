"""What dies, dies alone: a worker, the network, the server."""

import asyncio
from pathlib import Path

import pytest

from tests.live.conftest import LONG, scripts
from tests.live.talking import ask, live, start
from tests.live.test_replies import wait_for_end
from tests.running import Chatcore


@pytest.mark.xdist_group("survival")
async def test_a_killed_workers_reply_is_made_anew_and_whole(gates: Path, redis_url: str) -> None:
    with Chatcore(scripts=scripts(gates), redis_url=redis_url) as chatcore, chatcore.client() as http:
        conversation = start(http, "long")
        async with live(chatcore) as watcher:
            await watcher.send("subscribe", conversation=conversation)
            await watcher.until("subscribed")
            reply = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
            await watcher.until(lambda frame: "word50 " in frame["data"].get("text", ""))

            chatcore.kill("worker0")
            chatcore.start()

            restarted = await watcher.until("reply.restarted")
            ended = await watcher.until("reply.completed")

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
            async with live(chatcore) as watcher:
                cursor = (await watcher.until("hello"))["data"]["cursor"]
                await watcher.send("subscribe", conversation=conversation)
                await watcher.until("subscribed")
                reply = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
                await watcher.until(lambda frame: "word50 " in frame["data"].get("text", ""))
                stopping = asyncio.create_task(asyncio.to_thread(chatcore.stop, "up"))
                goodbye = await watcher.until("reconnect")
                assert await stopping == 0

        assert 0 <= goodbye["data"]["after"] <= 5
        chatcore.start()
        async with live(chatcore, after=cursor) as watcher:
            ended = await watcher.until("reply.completed")
        assert ended["data"]["text"] == LONG
        with chatcore.client() as http:
            assert wait_for_end(http, reply)["status"] == "done"
