"""How the pieces of a running reply are put together, and how watchers come and go."""

import asyncio
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.realtime.frames import Frame, signal
from chatcore.realtime.hub import hub
from conversations.assembly import Assembly
from conversations.events import (
    ReplyCompleted,
    ReplyDelta,
    ReplyQueued,
    ReplyRestarted,
    ReplyStarted,
    ReplyState,
)
from conversations.follow import ReplyWatch
from conversations.following import _followings, follow_conversation, unfollow_conversation

TEXT = "The quick brown fox jumps over the lazy dog. "


@given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, len(TEXT))), max_size=20), st.randoms())
def test_overlapping_pieces_in_any_order_come_out_once_and_whole(
    cuts: list[tuple[int, int]], random: object
) -> None:
    pieces = [(min(cut), TEXT[min(cut) : max(cut)]) for cut in cuts] + [(0, TEXT[:10]), (10, TEXT[10:])]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    grown: list[tuple[int, str]] = []
    assembly = Assembly(1, lambda offset, text: grown.append((offset, text)))

    for offset, text in pieces:
        assembly.add(offset, text)

    assert assembly.text == TEXT
    assert not assembly.has_hole
    assert "".join(text for _, text in grown) == TEXT
    assert [offset for offset, _ in grown] == [
        sum(len(text) for _, text in grown[:n]) for n in range(len(grown))
    ]


def test_a_piece_behind_a_hole_waits_for_the_saved_text() -> None:
    grown: list[str] = []
    assembly = Assembly(1, lambda _, text: grown.append(text))
    assembly.add(4, "quick")
    assert assembly.has_hole
    assert not grown
    assembly.add(0, "The q")
    assert grown == ["The q", "uick"]
    assert not assembly.has_hole


class Ears:
    def receive(self, frame: Frame) -> None:
        pass


def followed(conversation: uuid.UUID) -> list[str]:
    return [group for group in hub.groups if str(conversation) in group]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", range(6))
async def test_whoever_leaves_while_joining_takes_nobody_with_it_and_leaves_nothing(moment: int) -> None:
    conversation, first, second = uuid.uuid4(), Ears(), Ears()
    joining = asyncio.create_task(follow_conversation(conversation, first, "text"))
    staying = asyncio.create_task(follow_conversation(conversation, second, "text"))
    for _ in range(moment):
        await asyncio.sleep(0)
    joining.cancel()
    await asyncio.wait([joining])
    await staying
    assert followed(conversation) == [f"conversation.{conversation}", f"local.text.{conversation}"]
    unfollow_conversation(conversation, first, "text")
    unfollow_conversation(conversation, second, "text")
    assert followed(conversation) == []
    await hub.stop()


def deltas(
    message: uuid.UUID, conversation: uuid.UUID, attempt: int, offset: int, text: str
) -> dict[str, Any]:
    body = ReplyDelta(message=message, attempt=attempt, offset=offset, text=text)
    return signal(body, str(conversation))


class Listener:
    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def receive(self, frame: Frame) -> None:
        self.frames.append(frame)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", [1, 2])
async def test_what_comes_after_a_replys_end_does_not_bring_it_back(attempt: int) -> None:
    conversation, message, ears = uuid.uuid4(), uuid.uuid4(), Listener()
    await follow_conversation(conversation, ears, "text")
    group = f"conversation.{conversation}"
    hub.deliver(group, deltas(message, conversation, 2, 0, "Half"))
    ended = {"message": str(message), "attempt": 2, "text": "Half of it"}
    hub.deliver(group, {"type": "reply.completed", "conversation": str(conversation), "data": ended})
    hub.deliver(group, deltas(message, conversation, attempt, 10, " and more"))

    late = Listener()
    await follow_conversation(conversation, late, "text")
    assert [frame.type for frame in ears.frames] == ["reply.delta", "reply.delta", "reply.completed"]
    assert late.frames == []
    assert _followings[conversation]._rereading is None

    hub.deliver(group, deltas(message, conversation, 3, 0, "Again"))
    assert late.frames[-1].body["data"]["text"] == "Again"
    for listener in (ears, late):
        unfollow_conversation(conversation, listener, "text")
    await hub.stop()


@pytest.mark.django_db(transaction=True)
async def test_a_reply_that_ends_while_it_is_drawn_for_a_page_is_not_drawn_behind_its_end() -> None:
    conversation, message, ears, page = uuid.uuid4(), uuid.uuid4(), Listener(), Listener()
    group = f"conversation.{conversation}"
    await follow_conversation(conversation, ears, "text")
    hub.deliver(group, deltas(message, conversation, 1, 0, "Text " * 1000))
    joining = asyncio.create_task(follow_conversation(conversation, page, "html"))
    async with asyncio.timeout(20):
        while f"local.html.{conversation}" not in hub.groups:
            await asyncio.sleep(0)
    ended = {"message": str(message), "attempt": 1, "text": "Text " * 1000}
    hub.deliver(group, {"type": "reply.completed", "conversation": str(conversation), "data": ended})
    await joining
    assert page.frames[-1].type == "reply.completed"
    unfollow_conversation(conversation, ears, "text")
    unfollow_conversation(conversation, page, "html")
    await hub.stop()


@pytest.mark.django_db(transaction=True)
async def test_one_that_waits_for_a_reply_is_told_of_it_and_not_of_who_has_read_it() -> None:
    conversation, reply = uuid.uuid4(), uuid.uuid4()
    watch = ReplyWatch(conversation, reply)
    await watch.open()
    group = f"conversation.{conversation}"
    read = {"recipient": "user:1", "state": "read", "message": str(reply), "unread": 0}
    hub.deliver(group, {"type": "receipt.updated", "id": 1, "conversation": str(conversation), "data": read})
    hub.deliver(group, deltas(reply, conversation, 1, 0, "Text"))
    assert [frame.type for frame in (watch._frames.get_nowait(),)] == ["reply.delta"]
    watch.close()
    await hub.stop()


async def test_what_the_log_tells_behind_the_worker_s_own_words_does_not_begin_the_reply_again() -> None:
    """The log and the worker come by different ways: a stream tells each in its turn, or not at all."""
    reply, conversation = uuid.uuid4(), uuid.uuid4()

    def state(body: type[ReplyState], attempt: int) -> Frame:
        told = body(message=reply, parent=None, model="demo", attempt=attempt)
        return Frame(signal(told, str(conversation)))

    def delta(attempt: int, offset: int, text: str) -> Frame:
        told = ReplyDelta(message=reply, attempt=attempt, part="text", offset=offset, text=text)
        return Frame(signal(told, str(conversation)))

    watch = ReplyWatch(conversation, reply, is_new=True)
    for frame in (
        state(ReplyStarted, 1),
        delta(1, 0, "The "),
        state(ReplyQueued, 0),
        state(ReplyStarted, 1),
        delta(1, 4, "quick"),
        state(ReplyRestarted, 2),
        delta(2, 0, "A "),
        state(ReplyRestarted, 2),
    ):
        watch.receive(frame)
    ending = ReplyCompleted(message=reply, parent=None, model="demo", attempt=2, text="A ")
    watch.receive(Frame(signal(ending, str(conversation))))

    told = [body["type"].removeprefix("reply.") async for body in watch.frames() if body]
    assert told == ["started", "delta", "delta", "restarted", "delta", "completed"]
