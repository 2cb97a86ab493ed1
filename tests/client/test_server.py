"""The client and a real server: every call once, in both forms."""

import asyncio
import math
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chatcore_client import (
    AsyncChatcore,
    Chatcore,
    Conflict,
    Delta,
    Forbidden,
    Invalid,
    NotFound,
    Restarted,
    Unauthenticated,
)
from tests.client.wire import Cable
from tests.running import Chatcore as Server

pytestmark = pytest.mark.xdist_group("client")
Connect = Callable[..., Any]
SAID = "You said: [message from tests]\n"
LONG = "".join(f"wörd{n} 🙂 " for n in range(100))


def test_a_conversation_from_its_start_to_its_end(client: Any) -> None:
    made = client.conversations.create(
        title="Plan a trip", model="echo", system="Be brief.", params={"temperature": 0}
    )
    assert (made.title, made.model, made.system, made.params) == (
        "Plan a trip",
        "echo",
        "Be brief.",
        {"temperature": 0},
    )
    assert made.created_at.utcoffset() == timedelta(0)
    assert client.conversations.get(made.id) == made

    changed = client.conversations.update(made.id, title="Kyoto", model=None, pinned=True, archived=True)
    assert (changed.title, changed.model, changed.system, changed.pinned) == (
        "Kyoto",
        None,
        "Be brief.",
        True,
    )
    assert [
        item.id for item in client.conversations.list(archived=True, pinned=True) if item.id == made.id
    ] == [made.id]

    client.conversations.delete(made.id)
    with pytest.raises(NotFound):
        client.conversations.get(made.id)


def test_several_models_answer_and_one_is_preferred(client: Any) -> None:
    conversation = client.conversations.create()

    asked = client.replies.ask(conversation.id, "Hello", models=["echo", "broken"], wait=math.inf)
    chosen = client.replies.choose(asked.replies[1].id)

    assert [(reply.model, reply.text) for reply in asked.replies] == [
        ("echo", f"{SAID}Hello"),
        ("broken", "Half"),
    ]
    assert asked.reply == asked.replies[0]
    assert client.conversations.get(conversation.id).active_leaf == chosen.id


def test_several_models_are_streamed_at_once(client: Any) -> None:
    conversation = client.conversations.create()

    with client.replies.stream(conversation.id, "Hello", models=["echo", "broken"]) as replying:
        pieces = list(replying)

    texts = {
        one.id: "".join(piece.text for piece in pieces if piece.reply == one.id) for one in replying.replies
    }
    assert list(texts.values()) == [f"{SAID}Hello", "Half"]
    assert [(one.model, one.status) for one in replying.replies] == [("echo", "done"), ("broken", "failed")]
    assert replying.reply == replying.replies[0]


def test_a_list_goes_over_all_its_pages(client: Any) -> None:
    name = uuid.uuid4().hex
    made = [client.conversations.create(title=f"{name} {n}").id for n in range(5)]
    assert [item.id for item in client.conversations.list(title=name, page_size=2)] == made[::-1]


def test_models_are_listed(client: Any) -> None:
    found = {model.name: model for model in client.models.list()}
    assert found["echo"].label == "Echo"
    assert found["echo"].supports["vision"] is False


def test_messages_are_a_tree(client: Any) -> None:
    conversation = client.conversations.create(model="echo").id
    posts = [client.messages.post(conversation, f"Message {n}").message for n in range(5)]
    assert [post.parent for post in posts] == [None, *(post.id for post in posts[:-1])]
    beside = client.messages.post(conversation, "Beside", parent=posts[0].id).message
    anew = client.messages.post(conversation, "Anew", parent=None).message

    def listed(**options: Any) -> list[str]:
        return [item.id for item in client.messages.list(conversation, **options)]

    assert listed(page_size=2) == [post.id for post in [*posts, beside, anew]]
    assert listed(branch="active") == [anew.id]
    assert listed(branch=posts[-1].id, page_size=2) == [post.id for post in posts]
    client.messages.delete(posts[1].id)
    assert listed() == [posts[0].id, beside.id, anew.id]


def test_what_is_posted_twice_under_a_client_id_is_stored_once(client: Any) -> None:
    conversation = client.conversations.create(model="echo").id
    own = str(uuid.uuid4())
    first, second = (client.messages.post(conversation, "Once", client_id=own).message for _ in range(2))
    assert (first.id, first.client_id) == (second.id, own)


def test_asked_at_once_and_waited_for(client: Any) -> None:
    conversation = client.conversations.create(model="echo").id
    asked = client.replies.ask(conversation, "Hello")
    assert asked.status_url == f"/api/v1/messages/{asked.reply.id}/"
    whole = client.replies.wait(asked.reply.id)
    assert (whole.status, whole.text, whole.parent) == ("done", f"{SAID}Hello", asked.message.id)


@pytest.mark.parametrize("wait", [20, math.inf])
def test_asked_and_waited_for_in_one(client: Any, wait: float) -> None:
    conversation = client.conversations.create(model="echo").id
    reply = client.replies.ask(conversation, "Hello", wait=wait).reply
    assert (reply.status, reply.text, reply.model) == ("done", f"{SAID}Hello", "echo")
    assert client.messages.get(reply.id) == reply


def test_a_wait_that_is_too_short_and_a_stop(client: Any) -> None:
    reply = client.replies.ask(client.conversations.create(model="endless").id, "Go", wait=1).reply
    assert reply.is_running
    client.replies.stop(reply.id)
    stopped = client.replies.wait(reply.id)
    assert (stopped.status, stopped.is_running) == ("stopped", False)
    assert stopped.text.startswith("word0 word1")
    assert client.replies.stop(reply.id).text == stopped.text


def test_said_differently_made_again_and_refused(client: Any) -> None:
    conversation = client.conversations.create(model="echo").id
    asked = client.replies.ask(conversation, "Teh", wait=20)
    edited = client.messages.edit(asked.message.id, "The", wait=20)
    assert (edited.message.text, edited.reply.text) == ("The", f"{SAID}The")
    again = client.replies.regenerate(asked.reply.id, model="long", wait=math.inf)
    assert (again.message.id, again.reply.text) == (asked.message.id, LONG)
    with pytest.raises(Conflict) as caught:
        client.replies.retry(asked.reply.id)
    assert caught.value.code == "reply_finished"
    path = [item.id for item in client.messages.list(conversation, branch="active")]
    assert path == [asked.message.id, again.reply.id]


def test_a_reply_that_failed_says_why_and_can_be_made_anew(client: Any) -> None:
    conversation = client.conversations.create(model="broken").id
    failed = client.replies.ask(conversation, "Hello", wait=20).reply
    assert (failed.status, failed.text, failed.error.code) == ("failed", "Half", "overloaded")
    again = client.replies.retry(failed.id, model="echo", wait=20).reply
    assert (again.id, again.status, again.error) == (failed.id, "done", None)


def test_a_stream_brings_the_reply_as_it_is_written(client: Any) -> None:
    conversation = client.conversations.create(model="long").id
    with client.replies.stream(conversation, "Go") as replying:
        pieces = list(replying)
    assert "".join(piece.text for piece in pieces) == LONG
    assert "".join(piece.reasoning for piece in pieces) == "Hm."
    assert len(pieces) > 5
    assert replying.reply == client.messages.get(replying.id)


def test_a_failing_stream_ends_with_the_reason(client: Any) -> None:
    reply = client.replies.stream(client.conversations.create(model="broken").id, "Go").finish()
    assert (reply.status, reply.text, reply.error.code) == ("failed", "Half", "overloaded")


def test_leaving_a_stream_does_not_stop_the_reply(client: Any, gate: Path) -> None:
    gate.unlink(missing_ok=True)
    with client.replies.stream(client.conversations.create(model="gated").id, "Go") as replying:
        assert next(replying).text == "Before "
    gate.touch()
    assert client.replies.wait(replying.id).text == "Before after."


def test_every_refusal_is_told(client: Any, server: Server, connect: Connect) -> None:
    with pytest.raises(Invalid) as caught:
        client.conversations.create(title="x" * 10_000)
    assert [error.pointer for error in caught.value.errors] == ["/title"]
    assert caught.value.request_id.startswith("req_")
    with pytest.raises(Invalid) as caught:
        client.conversations.create(model="no such model")
    with pytest.raises(NotFound):
        client.replies.stream(str(uuid.uuid4()), "Hello").finish()
    with pytest.raises(Unauthenticated):
        connect(server.url, key="cc_live_wrong").models.list().__next__()
    stranger = connect(server.url, key=server.key, workspace="elsewhere")
    with pytest.raises((Forbidden, NotFound, Unauthenticated, Invalid)):
        list(stranger.conversations.list())


def test_many_streams_at_once(server: Server) -> None:
    texts: list[str] = []
    with Chatcore(server.url, key=server.key) as client:
        conversations = [client.conversations.create(model="long").id for _ in range(4)]

        def play(conversation: str) -> None:
            with client.replies.stream(conversation, "Go") as replying:
                texts.append("".join(piece.text for piece in replying))

        threads = [threading.Thread(target=play, args=[item]) for item in conversations]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == [LONG] * 4


async def test_one_stream_does_not_hold_up_another(server: Server, gate: Path) -> None:
    await asyncio.to_thread(gate.unlink, missing_ok=True)
    async with AsyncChatcore(server.url, key=server.key) as client:
        gated = (await client.conversations.create(model="gated")).id
        async with client.replies.stream(gated, "Go") as replying:
            assert isinstance(await anext(replying), Delta)
            other = (await client.conversations.create(model="echo")).id
            assert (await client.replies.ask(other, "Hello", wait=20)).reply
            await asyncio.to_thread(gate.touch)
            assert (await replying.finish()).text == "Before after."


def test_a_cable_cut_in_mid_stream_costs_nothing(client: Any, server: Server, connect: Connect) -> None:
    conversation = client.conversations.create(model="long").id
    with Cable(server.url, 1500, 2500, 4000) as cable:
        with connect(cable.url, key=server.key).replies.stream(conversation, "Go") as replying:
            pieces = list(replying)
        assert cable.connections >= 4
    assert not [piece for piece in pieces if isinstance(piece, Restarted)]
    assert "".join(piece.text for piece in pieces) == LONG == replying.reply.text
    assert len(list(client.messages.list(conversation))) == 2
