"""The one path from a queued reply to its end, with a real worker loop, database and hub in one event loop."""

import asyncio
import threading
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from chatcore import jobs
from chatcore.llm.types import TextDelta
from chatcore.offload import offload
from chatcore.processes.job_loop import JobLoop
from chatcore.realtime.hub import hub
from chatcore.realtime.models import Event
from conversations import actions
from conversations.claims import Claim, Progress, claim_replies, save_progress, sweep_stalled
from conversations.control import QUEUE_GROUP
from conversations.enqueue import ANSWER, REPLIES_A_JOB, enqueue_answers
from conversations.finishing import Outcome, finish_reply
from conversations.follow import ReplyWatch
from conversations.models import Conversation, Message
from conversations.resources import MessageResource
from conversations.runner import Runner
from conversations.streams import ReplyStream
from conversations.tasks import answer
from tests.factories import make_model, make_principal
from tests.replying import Script, asked, ended
from tests.until import until, until_a_worker_listens

pytestmark = pytest.mark.django_db(transaction=True)


held = asyncio.Event()


@jobs.app.task(name="tests.hold", retry=jobs.Retry())
async def hold() -> None:
    held.set()
    await asyncio.Event().wait()


async def event_types(reply: Message) -> list[str]:
    events = Event.objects.filter(conversation_id=reply.conversation_id).order_by("id")
    return await offload(list, events.values_list("type", flat=True))


async def test_a_reply_is_whole_counted_and_told_of(runner: Runner) -> None:
    _, reply = await asked(
        [
            {"reasoning": "Hm."},
            {"text": "Hello "},
            {"text": "world"},
            {"usage": {"input_tokens": 7, "output_tokens": 2}},
        ]
    )

    row = await ended(runner, reply)

    assert (row.status, row.text, row.reasoning, row.attempt) == ("done", "Hello world", "Hm.", 1)
    assert row.usage is not None
    assert (row.usage["input_tokens"], row.usage["cached_tokens"]) == (7, None)
    assert [attempt["outcome"] for attempt in row.route] == ["answered"]
    assert await event_types(reply) == [
        "conversation.created",
        "message.created",
        "reply.queued",
        "reply.started",
        "reply.completed",
    ]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks for more only when it is told to."""
    monkeypatch.setattr("conversations.runner.MAINTAIN_SECONDS", 3600.0)


@pytest.fixture
def two_places(told: None, settings: Any) -> None:
    settings.REPLY_CONCURRENCY = 2


@pytest.fixture
def ten_places(told: None, settings: Any) -> None:
    settings.REPLY_CONCURRENCY = 10


async def test_a_full_worker_takes_the_next_reply_as_soon_as_any_has_ended(
    two_places: None, runner: Runner, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    _, first = await asked([{"wait": str(gate)}, {"text": "First."}])
    await runner.wake()
    await asked([{"hang": True}])
    await runner.wake()
    _, third = await asked([{"text": "Third."}])
    await runner.wake()
    assert set(runner.runs) >= {first.id}
    assert third.id not in runner.runs

    gate.touch()

    await until(partial(offload, Message.objects.filter(id=third.id, status="done").exists))


async def test_those_that_end_while_the_next_are_looked_for_look_once_more_together(
    ten_places: None, monkeypatch: pytest.MonkeyPatch, runner: Runner, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    replies = [(await asked([{"wait": str(gate)}, {"text": "Done."}]))[1].id for _ in range(10)]
    await runner.wake()
    looks: list[int] = []
    all_ended = threading.Event()

    def look(room: int) -> list[Claim]:
        looks.append(room)
        assert all_ended.wait(60)
        return claim_replies(room)

    monkeypatch.setattr("conversations.runner.claim_replies", look)
    gate.touch()
    await until(lambda: not runner.runs)
    all_ended.set()

    _, last = await asked([{"text": "Done."}])
    runner.ring()
    replies = [*replies, last.id]
    ended = Message.objects.filter(id__in=replies, status="done")
    await until(lambda: offload(lambda: ended.count() == len(replies)))
    assert len(looks) <= 4


async def test_replies_begin_while_other_jobs_hold_all_places(two_places: None, runner: Runner) -> None:
    loop = JobLoop(concurrency=1, grace_seconds=0.0)
    working = asyncio.create_task(loop.run())
    await offload(jobs.defer, hold)
    await asyncio.wait_for(held.wait(), 60)
    await until_a_worker_listens()
    await hub.join(runner, QUEUE_GROUP)

    _, reply = await asked([{"text": "At once."}])

    await until(partial(offload, Message.objects.filter(id=reply.id, status="done").exists))
    loop.stop()
    await working


async def test_queued_replies_begin_before_a_job_is_handed_out(runner: Runner) -> None:
    await hub.join(runner, QUEUE_GROUP)
    _, reply = await asked([{"text": "At once."}])
    await until(partial(offload, Message.objects.filter(id=reply.id, status="done").exists))
    assert await offload(ProcrastinateJob.objects.filter(task_name=ANSWER, status="todo").count) == 1


async def test_a_job_looks_for_no_more_where_its_reply_runs_already(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    _, reply = await asked([{"hang": True}])
    await runner.wake()
    assert reply.id in runner.runs
    monkeypatch.setattr("conversations.runner.claim_replies", lambda room: looks.append(room) or [])

    await answer(reply_id=str(reply.id))
    assert looks == []

    await answer(reply_id=str(uuid.uuid4()))
    assert len(looks) == 1


def test_many_replies_wake_several_workers() -> None:
    enqueue_answers(uuid.uuid4() for _ in range(2 * REPLIES_A_JOB + 1))
    assert ProcrastinateJob.objects.filter(task_name=ANSWER).count() == 3


async def test_a_parameter_nobody_knows_is_left_out_and_named(runner: Runner) -> None:
    _, reply = await asked([{"text": "Yes."}])
    await offload(Message.objects.filter(id=reply.id).update, params={"flavour": "mint", "temperature": 1})
    row = await ended(runner, reply)
    assert (row.status, row.dropped) == ("done", ["flavour"])
    assert MessageResource.of(row).dropped == ["flavour"]


async def test_a_watcher_gets_every_character_once_wherever_it_joins(runner: Runner, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    steps: Script = [{"repeat": {"text": "word{n} ", "times": 50, "pause": 0.005}}, {"wait": str(gate)}]
    _, reply = await asked([*steps, {"repeat": {"text": "more{n} ", "times": 50, "pause": 0.005}}])
    whole = "".join(f"word{n} " for n in range(50)) + "".join(f"more{n} " for n in range(50))

    async def watch() -> str:
        watching = ReplyWatch(reply.conversation_id, reply.id)
        await watching.open()
        text = ""
        async for frame in watching.frames():
            if frame and frame["type"] == "reply.delta":
                assert frame["data"]["offset"] == len(text)
                text += frame["data"]["text"]
        watching.close()
        return text

    watchers = [asyncio.create_task(watch())]
    await runner.wake()
    for _ in range(6):
        await asyncio.sleep(0.05)
        watchers.append(asyncio.create_task(watch()))
    await asyncio.to_thread(gate.touch)

    assert await asyncio.gather(*watchers) == [whole] * 7


async def test_text_so_far_is_saved_while_it_streams(runner: Runner, tmp_path: Path) -> None:
    _, reply = await asked([{"text": "So far"}, {"wait": str(tmp_path / "gate")}])
    await runner.wake()
    await until(partial(offload, lambda: Message.objects.get(id=reply.id).text == "So far"))
    assert (await offload(Message.objects.get, id=reply.id)).status == "streaming"


async def test_stop_keeps_the_text_so_far(runner: Runner, tmp_path: Path) -> None:
    mark = tmp_path / "said"
    owner, reply = await asked([{"text": "Kept."}, {"mark": str(mark)}, {"hang": True}])
    await runner.wake()
    await until(mark.exists)

    await offload(actions.stop_reply, owner, reply.id)
    row = await ended(runner, reply)

    assert (row.status, row.text) == ("stopped", "Kept.")
    assert (await event_types(reply))[-1] == "reply.stopped"


@pytest.mark.parametrize(
    ("failure", "code", "text"),
    [
        ([{"error": {"code": "auth"}}], "auth", ""),
        ([{"text": "Half"}, {"error": {"code": "overloaded"}}], "overloaded", "Half"),
        ([{"text": "Half"}, {"end": True}], "cut_off", "Half"),
        ([{"finish": "stop"}], "empty", ""),
    ],
)
async def test_a_failed_reply_keeps_its_text_and_says_why(
    runner: Runner, failure: Script, code: str, text: str
) -> None:
    owner, reply = await asked(failure)

    row = await ended(runner, reply)

    assert (row.status, row.text) == ("failed", text)
    assert row.error is not None
    assert row.error["code"] == code
    assert row.error["detail"].endswith(".")
    retried = await offload(actions.retry_reply, owner, reply.id)
    assert (retried.status, retried.text) == ("queued", "")


async def test_what_postgres_cannot_hold_is_left_out_of_an_answer() -> None:
    claim = await offload(claimed)
    stream = ReplyStream(claim)
    stream.take(TextDelta("a\x00b\ud800c"))
    await offload(finish_reply, stream, Outcome.DONE, [])
    assert (await offload(Message.objects.get, id=claim.id)).text == "ab\ufffdc"


async def test_a_question_asked_meanwhile_waits_and_reads_the_whole_answer(
    runner: Runner, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    owner, first = await asked([{"text": "First"}, {"wait": str(gate)}, {"text": " answer."}])
    await runner.wake()
    posted = await offload(actions.post_message, owner, first.conversation_id, text="And then?")
    assert posted.reply
    await runner.wake()
    assert (await offload(Message.objects.get, id=posted.reply.id)).status == "queued"

    await asyncio.to_thread(gate.touch)
    await ended(runner, first)
    assert (await ended(runner, posted.reply)).status == "done"


async def test_a_deleted_conversation_ends_its_running_reply(runner: Runner) -> None:
    owner, reply = await asked([{"text": "Gone"}, {"hang": True}])
    await runner.wake()
    await offload(actions.delete_conversation, owner, reply.conversation_id)

    async with asyncio.timeout(20):
        while runner.runs:
            await asyncio.sleep(0.05)


async def test_a_stopping_worker_gives_its_replies_back(runner: Runner, tmp_path: Path) -> None:
    _, reply = await asked([{"text": "Once "}, {"wait": str(tmp_path / "gate")}, {"text": "more"}])
    await runner.wake()
    await runner.stop(grace=0)
    row = await offload(Message.objects.get, id=reply.id)
    assert (row.status, row.attempt) == ("queued", 1)

    await asyncio.to_thread((tmp_path / "gate").touch)
    await runner.start()
    row = await ended(runner, reply)
    assert (row.text, row.attempt) == ("Once more", 2)
    assert "reply.restarted" in await event_types(reply)


def claimed() -> Claim:
    owner = make_principal()
    conversation = actions.start_conversation(owner, model=make_model().name)
    actions.post_message(owner, conversation.id, text="Hello")
    (claim,) = claim_replies(10)
    return claim


def seem_dead(claim: Claim) -> None:
    Message.objects.filter(id=claim.id).update(heartbeat_at="2020-01-01T00:00:00Z")


def test_a_late_worker_changes_nothing() -> None:
    old = claimed()
    seem_dead(old)
    assert sweep_stalled() == 1
    (new,) = claim_replies(10)

    assert save_progress([Progress(old.id, old.attempt, "Late", "")]) == {}
    assert save_progress([Progress(new.id, new.attempt, "Mine", "")]) == {new.id: False}
    assert Message.objects.get(id=new.id).text == "Mine"


def test_one_reply_is_claimed_once() -> None:
    claimed()
    assert claim_replies(10) == []


def test_a_reply_that_three_workers_died_of_fails() -> None:
    claim = claimed()
    for _ in range(3):
        seem_dead(claim)
        sweep_stalled()
        claim_replies(10)
    row = Message.objects.get(id=claim.id)
    assert row.status == "failed"
    assert row.error is not None
    assert row.error["code"] == "worker_lost"


def test_a_dead_workers_reply_that_was_to_stop_ends_as_stopped() -> None:
    claim = claimed()
    Message.objects.filter(id=claim.id).update(stop_requested_at="2020-01-01T00:00:00Z")
    seem_dead(claim)
    sweep_stalled()
    assert Message.objects.get(id=claim.id).status == "stopped"


def test_ids_of_time_order() -> None:
    assert isinstance(Conversation().id, uuid.UUID)
    assert Conversation().id.version == 7
