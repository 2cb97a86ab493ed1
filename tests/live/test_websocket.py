"""The WebSocket: what it sends, what it refuses, and that cutting it loses nothing."""

import asyncio
import json

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.live.conftest import LONG
from tests.live.talking import ask, heard_to_the_end, live, start
from tests.running import Chatcore


async def test_a_watcher_sees_a_reply_from_its_question_to_its_end(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        conversation = start(http, "long")
        async with live(chatcore, number=chatcore.webs - 1) as watcher:
            await watcher.until("hello")
            await watcher.send("subscribe", conversation=conversation)
            await watcher.until("subscribed")
            reply = (await asyncio.to_thread(ask, http, conversation)).json()["reply"]["id"]
            ended = await watcher.until("reply.completed", conversation)

    assert watcher.text_of(reply) == LONG, f"{watcher.story}\n{chatcore.log[-2000:]}"
    assert ended["data"]["text"] == LONG
    mine = [frame for frame in watcher.frames if frame.get("conversation") == conversation]
    kinds = [frame["type"] for frame in mine if "id" in frame and "message" in frame["data"]]
    assert sorted(kinds) == ["message.created", "reply.completed", "reply.queued", "reply.started"]


async def test_one_that_joins_late_has_the_whole_text(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        conversation = start(http, "endless")
        reply = ask(http, conversation).json()["reply"]["id"]
        async with live(chatcore) as early, live(chatcore, number=chatcore.webs - 1) as late:
            await early.send("subscribe", conversation=conversation)
            await early.until(lambda frame: "word80 " in frame["data"].get("text", ""), conversation)
            await late.send("subscribe", conversation=conversation)
            await late.until("reply.delta", conversation)
            await asyncio.to_thread(http.post, f"/api/v1/replies/{reply}/stop")
            stopped = await late.until("reply.stopped", conversation)
    assert "word80 " in late.text_of(reply)
    assert late.text_of(reply) == stopped["data"]["text"]


async def test_a_page_gets_blocks_that_end_as_a_reload_would_draw_them(one: Chatcore) -> None:
    with one.client() as http:
        conversation = start(http, "long")
        async with live(one) as watcher:
            await watcher.send("subscribe", conversation=conversation, form="html")
            await watcher.until("subscribed")
            await asyncio.to_thread(ask, http, conversation)
            drawn = await watcher.until(lambda frame: frame["type"] == "reply.delta")
    assert set(drawn["data"]["html"]) == {"first", "blocks", "tail", "reset"}
    assert "word0" in "".join([*drawn["data"]["html"]["blocks"], drawn["data"]["html"]["tail"]])


async def test_after_a_cut_the_cursor_brings_what_was_missed_once(chatcore: Chatcore) -> None:
    with chatcore.client() as http:
        async with live(chatcore) as first:
            cursor = (await first.until("hello"))["data"]["cursor"]
        conversation = start(http)
        ask(http, conversation, Prefer="wait=20")
        async with live(chatcore, after=cursor) as second:
            await second.until(lambda f: f["type"] == "reply.completed" and f["conversation"] == conversation)
    mine = [frame for frame in second.frames if frame.get("conversation") == conversation and "id" in frame]
    assert [frame["type"] for frame in mine] == [
        "conversation.created",
        "message.created",
        "reply.queued",
        "reply.started",
        "reply.completed",
    ]
    assert len({frame["id"] for frame in mine}) == len(mine)


async def test_a_cursor_of_elsewhere_asks_to_read_the_state_again(one: Chatcore) -> None:
    async with live(one, after="forged.cursor") as watcher:
        assert (await watcher.until("resync"))["data"]["code"] == "malformed"
        await watcher.until("hello")


async def test_sending_and_stopping_over_the_connection(one: Chatcore) -> None:
    with one.client() as http:
        conversation = start(http, "endless")
        async with live(one) as watcher:
            await watcher.send("subscribe", conversation=conversation)
            await watcher.until("subscribed")
            await watcher.send("send", ref="1", conversation=conversation, content="Go")
            sent = await watcher.until("result")
            await watcher.until("reply.delta", conversation)
            await watcher.send("stop", ref="2", message=sent["data"]["reply"])
            stopped = await watcher.until("reply.stopped", conversation)
    assert sent["ref"] == "1"
    assert stopped["data"]["message"] == sent["data"]["reply"]


async def test_a_conversation_of_others_cannot_be_followed(one: Chatcore) -> None:
    stranger = json.loads(
        one.manage(
            "bootstrap", "--email", "x@example.com", "--workspace", "Away", "--key-name", "x", "--json"
        )
    )["key"]
    with one.client() as http:
        conversation = start(http)
    async with live(one, key=stranger) as watcher:
        await watcher.send("subscribe", ref="a", conversation=conversation)
        refused = await watcher.until("error")
    assert (refused["ref"], refused["data"]["status"]) == ("a", 404)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("no json", "A frame is one JSON object"),
        ("[]", "body: must be a JSON object"),
        ('{"type": "dance"}', "'dance'"),
        ('{"type": "subscribe", "data": {}}', "conversation: must be given"),
        ("[" * 9_000, "A frame is one JSON object"),
    ],
    ids=range(5),
)
async def test_a_frame_that_makes_no_sense_gets_a_problem_and_the_connection_lives(
    one: Chatcore, frame: str, said: str
) -> None:
    async with live(one) as watcher:
        await watcher.socket.send(frame)
        answer = (await watcher.until("error"))["data"]
        assert answer["code"] in ("malformed", "invalid")
        assert said in answer["detail"]
        await watcher.send("ping", ref="still here")
        assert (await watcher.until("pong"))["ref"] == "still here"


async def test_three_bad_frames_close_with_4400(one: Chatcore) -> None:
    async with live(one) as watcher:
        await watcher.until("hello")
        for _ in range(3):
            await watcher.socket.send("no json")
        with pytest.raises(ConnectionClosed) as closed:
            await watcher.until("never")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


@pytest.mark.parametrize("key", ["", "cc_live_nonsense"])
async def test_without_a_valid_key_it_closes_with_4401(one: Chatcore, key: str) -> None:
    async with live(one, key=key) as watcher:
        with pytest.raises(ConnectionClosed) as closed:
            await watcher.until("hello")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_revoked_key_is_cut_in_every_process(chatcore: Chatcore) -> None:
    words = (
        "--email",
        "leaver@example.com",
        "--workspace",
        "Leaving",
        "--key-name",
        "gone",
        "--new-key",
        "--json",
    )
    key = json.loads(chatcore.manage("bootstrap", *words))["key"]
    async with live(chatcore, number=chatcore.webs - 1, key=key) as watcher:
        await watcher.until("hello")
        if chatcore.redis_url:
            listening = asyncio.create_task(asyncio.to_thread(heard_to_the_end, chatcore.url, key))
        revoke = "from chatcore.accounts import keys; from chatcore.accounts.models import Key; "
        revoke += "[keys.revoke(key) for key in Key.objects.filter(integration__name='gone')]"
        await asyncio.to_thread(chatcore.manage, "shell", "-c", revoke)
        if chatcore.redis_url:
            with pytest.raises(ConnectionClosed) as closed:
                await watcher.until("never")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
            assert await listening == ["hello"]
    refused = await asyncio.to_thread(httpx.get, f"{chatcore.url}/api/v1/models/", headers={"X-API-Key": key})
    assert refused.status_code == 401
