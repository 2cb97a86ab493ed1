"""Replies whose first provider breaks off, and replies that wait in line: what watchers see and rows keep."""

import asyncio
import itertools
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatcore.accounts.principals import Principal
from chatcore.llm import line
from chatcore.llm.models import Deployment, Model, Provider
from chatcore.llm.traffic import Call, Waiter
from chatcore.llm.types import TextDelta
from chatcore.offload import offload
from chatcore.realtime.models import Event
from conversations import actions
from conversations.claims import Progress, claim_replies, restart_reply, save_progress, sweep_stalled
from conversations.finishing import Outcome, finish_reply
from conversations.generation import restart
from conversations.models import Message
from conversations.resources import MessageResource
from conversations.runner import Runner
from conversations.streams import ReplyStream
from tests.factories import make_principal
from tests.replying import Script, Watching
from tests.until import until

pytestmark = pytest.mark.django_db(transaction=True)

BREAKS: Script = [{"text": "Hello fr"}, {"error": {"code": "cut_off"}}]
_numbers = itertools.count(1)


def model_of(*scripts: Script, **limits: Any) -> Model:
    """A model whose deployments play these scripts, asked in this order."""
    name = f"model-{next(_numbers)}"
    model = Model.objects.create(name=name, label=name)
    for priority, script in enumerate(scripts):
        provider = Provider.objects.create(
            kind="scripted", name=f"{name}-{'ABC'[priority]}", options={"script": script}
        )
        Deployment.objects.create(
            model=model, provider=provider, upstream_name=name, priority=priority, **limits
        )
    return model


def ask(model: Model, owner: Principal | None = None) -> tuple[Principal, Message]:
    owner = owner or make_principal()
    conversation = actions.start_conversation(owner, model=model.name)
    reply = actions.post_message(owner, conversation.id, text="Tell me").reply
    assert reply
    return owner, reply


async def row_of(reply: Message) -> Message:
    return await offload(Message.objects.get, id=reply.id)


async def test_a_reply_that_breaks_off_begins_anew_at_the_next_provider(runner: Runner) -> None:
    _, reply = await offload(lambda: ask(model_of(BREAKS, [{"text": "Hello "}, {"text": "from B"}])))
    watching = await Watching(reply).follow()
    await runner.wake()
    await watching.ended()

    row = await row_of(reply)
    assert (row.status, row.text, row.attempt, row.restarts) == ("done", "Hello from B", 2, 0)
    assert (watching.text, watching.attempt) == ("Hello from B", 2)
    deltas = [f["data"]["text"] for f in watching.frames if f["type"] == "reply.delta"]
    assert deltas[0] == "Hello fr"
    outcomes = [(each["provider"][-1], each["outcome"]) for each in row.route]
    assert outcomes == [("A", "answered"), ("A", "cut_off"), ("B", "answered")]
    types = Event.objects.filter(conversation_id=reply.conversation_id).order_by("id")
    names = await offload(list, types.values_list("type", flat=True))
    assert names[-3:] == ["reply.started", "reply.restarted", "reply.completed"]


async def test_it_begins_anew_when_the_half_was_saved_already(runner: Runner, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first: Script = [{"text": "Half"}, {"wait": str(gate)}, {"error": {"code": "overloaded"}}]
    _, reply = await offload(lambda: ask(model_of(first, [{"text": "W"}, {"pause": 0.6}, {"text": "hole"}])))
    watching = await Watching(reply).follow()
    await runner.wake()
    await until(partial(offload, lambda: Message.objects.get(id=reply.id).text == "Half"))
    await asyncio.to_thread(gate.touch)
    await until(partial(offload, lambda: Message.objects.get(id=reply.id).text == "W"))
    await watching.ended()
    assert (watching.text, (await row_of(reply)).text) == ("Whole", "Whole")


async def test_where_nobody_else_answers_the_half_is_kept_and_may_be_tried_again(runner: Runner) -> None:
    owner, reply = await offload(lambda: ask(model_of(BREAKS, [{"error": {"code": "unavailable"}}])))
    watching = await Watching(reply).follow()
    await runner.wake()
    await watching.ended()
    row = await row_of(reply)
    assert (row.status, row.text, row.attempt) == ("failed", "Hello fr", 1)
    assert row.error
    assert (row.error["code"], row.error["retryable"]) == ("cut_off", True)
    assert (await offload(actions.retry_reply, owner, reply.id)).status == "queued"


async def test_a_reply_that_breaks_off_twice_keeps_the_second_half(runner: Runner) -> None:
    second: Script = [{"text": "Second h"}, {"error": {"code": "cut_off"}}]
    _, reply = await offload(lambda: ask(model_of(BREAKS, second, [{"text": "never"}])))
    watching = await Watching(reply).follow()
    await runner.wake()
    await watching.ended()
    row = await row_of(reply)
    assert (row.status, row.text, row.attempt) == ("failed", "Second h", 2)


def test_the_fence_holds_when_a_reply_begins_anew() -> None:
    ask(model_of(BREAKS))
    (old,) = claim_replies(10)
    save_progress([Progress(old.id, old.attempt, "Half", "")])
    begun = restart_reply(old)
    assert begun
    assert (begun.attempt, Message.objects.get(id=old.id).text) == (old.attempt + 1, "")
    assert save_progress([Progress(old.id, old.attempt, "Late", "")]) == {}
    assert save_progress([Progress(begun.id, begun.attempt, "New", "")]) == {begun.id: False}
    assert restart_reply(old) is None
    assert Message.objects.get(id=old.id).text == "New"


async def test_a_reply_that_another_worker_took_is_not_begun_anew() -> None:
    await offload(ask, await offload(model_of, BREAKS))
    (old,) = await offload(claim_replies, 10)
    await offload(Message.objects.filter(id=old.id).update, heartbeat_at="2020-01-01T00:00:00Z")
    await offload(sweep_stalled)
    (new,) = await offload(claim_replies, 10)
    assert await offload(restart_reply, old) is None
    stream = ReplyStream(old, publish=lambda *_: None)
    stream.take(TextDelta("Late"))
    assert not await offload(finish_reply, stream, Outcome.DONE, [])
    row = await offload(Message.objects.get, id=old.id)
    assert (row.status, row.attempt, row.text) == ("streaming", new.attempt, "")


async def test_one_that_is_stopped_as_it_begins_anew_may_still_save() -> None:
    await offload(ask, await offload(model_of, BREAKS))
    (claim,) = await offload(claim_replies, 10)
    stream = ReplyStream(claim, publish=lambda *_: None)
    stream.take(TextDelta("Half"))
    beginning = asyncio.create_task(restart(stream))
    await asyncio.sleep(0)
    beginning.cancel()
    await asyncio.gather(beginning, return_exceptions=True)
    row = await offload(Message.objects.get, id=claim.id)
    assert (stream.claim.attempt, stream.text, stream.is_restarting) == (row.attempt, "", False)
    assert await offload(finish_reply, stream, Outcome.STOPPED, [])


async def test_a_reply_waits_in_line_and_says_where_it_stands(runner: Runner, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    model = await offload(lambda: model_of([{"text": "So"}, {"wait": str(gate)}], max_concurrent=1))
    owner = await offload(make_principal)
    _, first = await offload(ask, model, owner)
    await runner.wake()
    await until(partial(offload, lambda: Message.objects.get(id=first.id).text == "So"))
    watchings = []
    for position in (1, 2):
        _, reply = await offload(ask, model, owner)
        watchings.append(await Watching(reply).follow())
        await runner.wake()
        await watchings[-1].saw("reply.waiting", position=position)
    assert runner.busy == 1

    await asyncio.to_thread(gate.touch)
    for watching in watchings:
        await watching.ended()
        assert watching.text == "So"
    assert watchings[0].positions == [1, 0]
    assert [position for position, _ in itertools.groupby(watchings[1].positions)] == [2, 1, 0]
    await line.shared().settled()
    assert not await offload(Waiter.objects.exists)


async def test_one_that_joins_meanwhile_soon_knows_the_position(runner: Runner) -> None:
    model = await offload(lambda: model_of([{"text": "So"}, {"hang": True}], max_concurrent=1))
    await offload(ask, model)
    await runner.wake()
    await until(partial(offload, Call.objects.exists))
    _, reply = await offload(ask, model)
    await runner.wake()
    first = await Watching(reply).follow()
    await first.saw("reply.waiting", position=1)
    late = await Watching(reply).follow()
    await late.saw("reply.waiting", position=1)


async def test_stopping_one_that_waits_ends_it_at_once_and_the_line_moves_up(runner: Runner) -> None:
    model = await offload(lambda: model_of([{"text": "So"}, {"hang": True}], max_concurrent=1))
    owner = await offload(make_principal)
    replies: list[Message] = []
    watchings: list[Watching] = []
    for position in range(3):
        _, reply = await offload(ask, model, owner)
        replies.append(reply)
        watchings.append(await Watching(reply).follow())
        await runner.wake()
        await watchings[-1].saw("reply.waiting", position=position) if position else None
        await until(partial(offload, Call.objects.exists))

    stopped = await offload(actions.stop_reply, owner, replies[1].id)
    await watchings[1].ended()
    row = await row_of(stopped)
    assert row.status == "stopped"
    await watchings[2].saw("reply.waiting", position=1)

    await offload(actions.stop_reply, owner, replies[0].id)
    await watchings[0].ended()
    await watchings[2].saw("reply.delta", text="So")


async def test_a_place_is_given_back_however_a_reply_ends(runner: Runner) -> None:
    model = await offload(lambda: model_of([{"error": {"code": "bad_request"}}], max_concurrent=1))
    for _ in range(3):
        _, reply = await offload(ask, model)
        watching = await Watching(reply).follow()
        await runner.wake()
        await watching.ended()
        assert (await row_of(reply)).status == "failed"


async def test_what_is_told_of_the_route_is_for_everybody(runner: Runner) -> None:
    failing: Script = [{"error": {"code": "unavailable", "detail": "10.0.0.7 refused sk-secret"}}]
    _, reply = await offload(lambda: ask(model_of(failing, [{"text": "Yes"}])))
    watching = await Watching(reply).follow()
    await runner.wake()
    await watching.ended()
    row = await row_of(reply)
    assert "10.0.0.7" in row.route[0]["detail"]
    assert uuid.UUID(row.route[1]["deployment_id"])
    shown = MessageResource.of(row).model_dump(mode="json")
    assert [each["outcome"] for each in shown["route"]] == ["unavailable", "answered"]
    assert set(shown["route"][0]) == {"deployment", "provider", "model", "outcome", "seconds"}
    assert "10.0.0.7" not in str(shown)
