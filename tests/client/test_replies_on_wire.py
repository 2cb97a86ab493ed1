"""A streamed reply over connections that are cut, repeat themselves, or begin anew."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chatcore_client import (
    AsyncChatcore,
    Delta,
    NotFound,
    Restarted,
    Retry,
    TransportFailed,
    Unavailable,
    UnexpectedAnswer,
)
from tests.client.test_wire import MESSAGE, UNAVAILABLE
from tests.client.wire import HOLD, RESET, Wire, answer, event, problem, stream

Connect = Callable[..., Any]


def delta(offset: int, text: str, attempt: int = 1, part: str = "text") -> bytes:
    data = {"message": "r", "attempt": attempt, "part": part, "offset": offset, "text": text}
    return event("reply.delta", {"type": "reply.delta", "conversation": "c", "data": data})


def said(kind: str, **data: Any) -> bytes:
    return event(kind, {"type": kind, "conversation": "c", "data": {"message": "r", "attempt": 1} | data})


def whole(text: str, status: str = "done", **fields: Any) -> Any:
    reply = {"id": "r", "author": "assistant", "parent": "m", "text": text, "status": status, "attempt": 1}
    return answer(200, MESSAGE | reply | fields)


def play(connect: Connect, *scripts: Any, **options: Any) -> tuple[list[Any], Any, Wire]:
    with Wire(*scripts) as wire:
        with connect(wire.url, **options).replies.stream("c", "Hi") as replying:
            pieces = list(replying)
        return pieces, replying, wire


def test_deltas_come_in_order_and_the_whole_reply_at_the_end(connect: Connect) -> None:
    frames = [
        said("reply.queued", attempt=0),
        said("reply.started"),
        delta(0, "He"),
        delta(2, "llo"),
        said("reply.completed"),
    ]
    pieces, replying, wire = play(connect, stream(*frames, whole=True), whole("Hello"))
    assert pieces == [Delta("He", "", 0, 1), Delta("llo", "", 2, 1)]
    assert (replying.id, replying.text, replying.reply.text, replying.reply.status) == (
        "r",
        "Hello",
        "Hello",
        "done",
    )
    assert [request.target for request in wire.requests] == [
        "/api/v1/conversations/c/replies",
        "/api/v1/messages/r/",
    ]
    assert wire.requests[0].headers["accept"] == "text/event-stream"


def test_reasoning_is_counted_by_itself(connect: Connect) -> None:
    frames = [
        delta(0, "Hm", part="reasoning"),
        delta(0, "A"),
        delta(2, "m.", part="reasoning"),
        said("reply.completed"),
    ]
    pieces, replying, _ = play(connect, stream(*frames), whole("A", reasoning="Hmm."))
    assert pieces == [Delta("", "Hm", 0, 1), Delta("A", "", 0, 1), Delta("", "m.", 2, 1)]
    assert (replying.text, replying.reasoning) == ("A", "Hmm.")


@pytest.mark.parametrize(
    "end", [[RESET], [], [b"data: half an ev"], [HOLD]], ids=["reset", "end", "half", "silence"]
)
def test_a_cut_stream_goes_on_where_it_was(connect: Connect, end: list[Any]) -> None:
    pieces, replying, wire = play(
        connect,
        stream(delta(0, "Grüße "), delta(6, "🙂"), *end),
        stream(delta(0, "Grüße 🙂 aus"), delta(11, " Köln"), said("reply.completed")),
        whole("Grüße 🙂 aus Köln"),
        silence=0.3,
    )
    assert [piece.text for piece in pieces] == ["Grüße ", "🙂", " aus", " Köln"]
    assert [piece.offset for piece in pieces] == [0, 6, 7, 11]
    assert replying.text == replying.reply.text
    assert wire.requests[1].target == "/api/v1/replies/r/events"


def test_a_connection_cut_within_a_character(connect: Connect) -> None:
    frame = delta(0, "🙂🙂")
    halves = frame[: frame.index(b"\x99") + 1], frame[frame.index(b"\x99") + 1 :]
    pieces, _, _ = play(
        connect, stream(halves[0], RESET), stream(*halves, said("reply.completed")), whole("🙂🙂")
    )
    assert [piece.text for piece in pieces] == ["🙂🙂"]


def test_cut_before_the_first_frame_the_question_is_asked_again_under_its_client_id(connect: Connect) -> None:
    pieces, _, wire = play(
        connect,
        [RESET],
        answer(503, UNAVAILABLE, Retry_After="0"),
        stream(b": still here\n\n"),
        stream(delta(0, "Hi"), said("reply.completed")),
        whole("Hi"),
    )
    assert [piece.text for piece in pieces] == ["Hi"]
    assert len({request.json["client_id"] for request in wire.requests[:4]}) == 1


def test_a_restarted_reply_begins_anew(connect: Connect) -> None:
    frames = [
        delta(0, "Wrong"),
        said("reply.restarted", attempt=2),
        delta(5, " late"),
        delta(0, "Right", 2),
        said("reply.completed", attempt=2),
    ]
    pieces, replying, _ = play(connect, stream(*frames), whole("Right", attempt=2))
    assert pieces == [Delta("Wrong", "", 0, 1), Restarted(2), Delta("Right", "", 0, 2)]
    assert (replying.text, replying.attempt) == ("Right", 2)


def test_a_restart_that_nobody_told_of_is_noticed(connect: Connect) -> None:
    pieces, _, _ = play(
        connect,
        stream(delta(0, "Wrong")),
        stream(delta(0, "Ri", 2), delta(2, "ght", 2), said("reply.completed")),
        whole("Right", attempt=2),
    )
    assert pieces == [Delta("Wrong", "", 0, 1), Restarted(2), Delta("Ri", "", 0, 2), Delta("ght", "", 2, 2)]


def test_a_hole_is_read_anew(connect: Connect) -> None:
    pieces, _, _ = play(
        connect,
        stream(delta(0, "a"), delta(5, "f")),
        stream(delta(0, "abcdef"), said("reply.completed")),
        whole("abcdef"),
    )
    assert [piece.text for piece in pieces] == ["a", "bcdef"]


def test_what_no_delta_brought_comes_with_the_end(connect: Connect) -> None:
    pieces, _, _ = play(connect, stream(delta(0, "Hel"), said("reply.completed")), whole("Hello"))
    assert [piece.text for piece in pieces] == ["Hel", "lo"]


def test_a_reply_that_reads_otherwise_in_the_end_begins_anew(connect: Connect) -> None:
    pieces, replying, _ = play(
        connect, stream(delta(0, "Hello"), said("reply.stopped")), whole("Help", "stopped")
    )
    assert pieces == [Delta("Hello", "", 0, 1), Restarted(1), Delta("Help", "", 0, 1)]
    assert replying.reply.status == "stopped"


def test_a_problem_of_the_server_in_mid_stream_is_waited_out(connect: Connect) -> None:
    pieces, _, _ = play(
        connect,
        stream(delta(0, "Hel"), event("error", UNAVAILABLE)),
        stream(said("reply.completed")),
        whole("Hello"),
    )
    assert [piece.text for piece in pieces] == ["Hel", "lo"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: <html>\n\n",
        event("error", problem(500, "internal_error")),
        b"data: 5\n\n",
        event("reply.delta", {"type": "reply.delta", "data": {}}),
    ],
)
def test_garbage_is_an_error(connect: Connect, garbage: bytes) -> None:
    with Wire(stream(garbage)) as wire:
        client = connect(wire.url)
        with client.replies.stream("c", "Hi") as replying, pytest.raises(Exception) as caught:  # noqa: PT011
            list(replying)
    assert isinstance(caught.value, UnexpectedAnswer) or caught.value.code == "internal_error"


def test_an_answer_that_is_no_stream(connect: Connect) -> None:
    with pytest.raises(UnexpectedAnswer):
        play(connect, answer(200, {"ok": True}))


def test_a_refused_question_is_raised_at_the_first_piece(connect: Connect) -> None:
    with pytest.raises(NotFound):
        play(connect, answer(404, problem(404, "not_found")))


def test_it_gives_up_when_nothing_helps(connect: Connect) -> None:
    with Wire(stream(delta(0, "a")), *(answer(503, UNAVAILABLE, Retry_After="0") for _ in range(3))) as wire:
        client = connect(wire.url, retry=Retry(times=2, base=0))
        with client.replies.stream("c", "Hi") as replying:
            assert next(replying).text == "a"
            with pytest.raises(Unavailable):
                next(replying)
    assert len(wire.requests) == 3


def test_finish_needs_the_end(connect: Connect) -> None:
    with Wire(stream(delta(0, "a"), HOLD)) as wire:
        replying = connect(wire.url).replies.stream("c", "Hi")
        assert next(replying).text == "a"
        replying.close()
        with pytest.raises(TransportFailed):
            replying.finish()


async def test_a_cancelled_wait_loses_nothing() -> None:
    with Wire(
        stream(delta(0, "a"), HOLD), stream(delta(0, "ab"), said("reply.completed")), whole("ab")
    ) as wire:
        async with AsyncChatcore(wire.url, key="k", retry=Retry(base=0)) as client:
            replying = client.replies.stream("c", "Hi")
            assert (await anext(replying)) == Delta("a", "", 0, 1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(replying), 0.05)
            assert [piece async for piece in replying] == [Delta("b", "", 1, 1)]


async def test_a_cancelled_wait_for_an_answer_asks_again() -> None:
    ended = stream(delta(0, "ab"), said("reply.completed"))
    with Wire([HOLD], ended, [HOLD], whole("ab")) as wire:
        async with AsyncChatcore(wire.url, key="k", retry=Retry(base=0)) as client:
            replying = client.replies.stream("c", "Hi")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(replying), 0.05)
            assert (await anext(replying)) == Delta("ab", "", 0, 1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(replying), 0.05)
            assert (await replying.finish()).text == "ab"
    assert wire.requests[0].json == wire.requests[1].json
    assert [request.method for request in wire.requests] == ["POST", "POST", "GET", "GET"]
