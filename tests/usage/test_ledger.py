"""The ledger: one row for each call that ended, right for every ending, with real replies by a real runner."""

import asyncio
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatcore.accounts.principals import Principal
from chatcore.llm import instances
from chatcore.llm.models import Deployment, Fallback, Model
from chatcore.llm.types import Usage as Counts
from chatcore.offload import offload
from chatcore.usage.models import Usage
from conversations import actions
from conversations.claims import claim_replies, sweep_stalled
from conversations.finishing import Outcome, finish_reply
from conversations.models import Message
from conversations.runner import Runner
from conversations.streams import ReplyStream
from conversations.titling import write_title
from tests.factories import make_key_principal, make_model, make_principal
from tests.replying import Script, ended
from tests.usage.factories import PRICES

pytestmark = pytest.mark.django_db(transaction=True)

COUNTS = {
    "input_tokens": 1000,
    "output_tokens": 200,
    "cached_tokens": 400,
    "reasoning_tokens": 50,
    "cache_write_tokens": 80,
}


def scripted(script: Script, prices: dict[str, Any] | None = PRICES) -> Model:
    model = make_model(kind="scripted", options={"script": script})
    model.prices = prices
    model.save()
    return model


def ask(model: Model, owner: Principal | None = None, text: str = "Tell me") -> tuple[Principal, Message]:
    owner = owner or make_principal()
    conversation = actions.start_conversation(owner, model=model.name, title="Named")
    reply = actions.post_message(owner, conversation.id, text=text).reply
    assert reply
    return owner, reply


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await offload(condition):
            await asyncio.sleep(0.02)


async def rows() -> list[Usage]:
    return await offload(
        lambda: list(Usage.objects.select_related("deployment__provider", "model").order_by("id"))
    )


async def test_a_finished_reply_is_in_the_ledger_with_its_counts_price_and_times(runner: Runner) -> None:
    model = await offload(scripted, [{"text": "Hello"}, {"usage": COUNTS}])
    owner, reply = await offload(ask, model)

    await ended(runner, reply)

    (row,) = await rows()
    assert (row.workspace_id, row.user_id, row.integration_id) == (owner.workspace.id, owner.user.id, None)  # type: ignore[union-attr]
    assert (row.conversation, row.message, row.attempt) == (reply.conversation_id, reply.id, 1)
    assert (row.purpose, row.outcome, row.code) == ("reply", "done", "")
    assert (row.model, row.model_name) == (model, model.name)
    assert row.deployment is not None
    assert (row.deployment.model_id, row.deployment_name) == (model.id, str(row.deployment))
    assert (row.input_tokens, row.output_tokens) == (1000, 200)
    assert (row.cached_tokens, row.reasoning_tokens, row.estimated) == (400, 50, False)
    assert row.cost == Decimal("0.0034"), "600 at 2, 400 at 0.50 and 200 at 10 a million"
    assert row.cache_write_tokens == 80
    assert row.currency == "USD"
    assert row.prices == {
        "currency": "USD",
        "input": "2",
        "output": "10",
        "cached": "0.5",
        "source": "model",
    }
    assert row.first_token_ms is not None
    assert row.total_ms is not None
    assert 0 <= row.first_token_ms <= row.total_ms
    assert row.unknown_attempts == 0


async def test_what_the_provider_does_not_count_is_estimated_and_says_so(runner: Runner) -> None:
    model = await offload(scripted, [{"text": "x" * 400}])
    _, reply = await offload(ask, model, None, "y" * 800)

    await ended(runner, reply)

    (row,) = await rows()
    assert (row.input_tokens, row.output_tokens, row.estimated) == (204, 100, True)
    assert row.cost == Decimal("0.001408")


async def test_an_unknown_price_is_no_price_and_not_zero(runner: Runner) -> None:
    model = await offload(scripted, [{"text": "Hello"}, {"usage": COUNTS}], None)
    _, reply = await offload(ask, model)

    await ended(runner, reply)

    (row,) = await rows()
    assert (row.cost, row.currency, row.prices) == (None, "", None)
    assert row.input_tokens == 1000


async def test_a_stopped_reply_is_estimated_from_what_it_said(runner: Runner, tmp_path: Path) -> None:
    mark = tmp_path / "said"
    model = await offload(scripted, [{"text": "Kept. "}, {"mark": str(mark)}, {"hang": True}])
    owner, reply = await offload(ask, model)
    await runner.wake()
    await until(mark.exists)

    await offload(actions.stop_reply, owner, reply.id)
    await ended(runner, reply)

    (row,) = await rows()
    assert (row.outcome, row.output_tokens, row.estimated) == ("stopped", 2, True)
    assert row.cost is not None


async def test_what_a_failed_reply_consumed_is_unknown(runner: Runner) -> None:
    model = await offload(scripted, [{"error": {"code": "overloaded"}}])
    _, reply = await offload(ask, model)

    await ended(runner, reply)

    (row,) = await rows()
    assert (row.outcome, row.code) == ("failed", "overloaded")
    assert (row.input_tokens, row.output_tokens, row.cost) == (None, None, None)


async def test_a_reply_by_a_fallback_names_what_answered_and_what_failed_before(runner: Runner) -> None:
    def made() -> tuple[Model, Model]:
        first, second = scripted([{"error": {"code": "unavailable"}}]), scripted([{"text": "Here."}])
        Fallback.objects.create(model=first, to=second)
        return first, second

    first, second = await offload(made)
    _, reply = await offload(ask, first)

    await ended(runner, reply)

    (row,) = await rows()
    assert (row.model, row.model_name, row.unknown_attempts) == (second, second.name, 1)


async def test_a_retried_reply_is_two_calls(runner: Runner) -> None:
    model = await offload(scripted, [{"error": {"code": "timeout"}}])
    owner, reply = await offload(ask, model)
    await ended(runner, reply)
    await offload(actions.retry_reply, owner, reply.id)

    await ended(runner, reply)

    assert [(row.message, row.attempt) for row in await rows()] == [(reply.id, 1), (reply.id, 2)]


async def titled(model: Model) -> Usage | None:
    """The last row after a first answer by this model was given a title."""

    def untitled() -> Message:
        owner = make_principal()
        conversation = actions.start_conversation(owner, model=model.name)
        reply = actions.post_message(owner, conversation.id, text="What is it?").reply
        assert reply
        Message.objects.filter(id=reply.id).update(status="done", text="That.")
        return reply

    reply = await offload(untitled)
    await write_title(reply.conversation_id)
    found = await offload(Usage.objects.filter(conversation=reply.conversation_id).last)
    assert found is None or found.message is None
    return found


async def test_a_title_is_a_call_of_its_own() -> None:
    row = await titled(await offload(scripted, []))
    assert row
    assert (row.purpose, row.outcome, row.output_tokens, row.estimated) == ("title", "done", 4, True)


async def test_a_title_that_could_not_be_written_has_unknown_costs() -> None:
    away = await offload(lambda: make_model(kind="openai", base_url="http://127.0.0.1:9/v1"))
    row = await titled(away)
    await instances.close_all()
    assert row
    assert (row.outcome, row.code, row.output_tokens) == ("failed", "unavailable", None)


async def test_where_nobody_could_be_asked_nothing_was_called(runner: Runner) -> None:
    model = await offload(scripted, [])
    _, reply = await offload(ask, model)
    await offload(Deployment.objects.update, enabled=False)

    assert (await ended(runner, reply)).status == "failed"
    assert await rows() == []


async def test_an_integrations_call_is_its_own_and_its_users(runner: Runner) -> None:
    model = await offload(scripted, [{"text": "Hi"}])
    owner = await offload(make_principal)
    outside = await offload(make_key_principal, owner, "*:*")
    _, reply = await offload(ask, model, outside)

    await ended(runner, reply)

    (row,) = await rows()
    assert (row.user_id, row.integration_id) == (owner.user.id, outside.integration.id)  # type: ignore[union-attr]


async def test_a_reply_a_worker_gave_back_is_one_call(runner: Runner, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    model = await offload(scripted, [{"text": "Once "}, {"wait": str(gate)}, {"text": "more"}])
    _, reply = await offload(ask, model)
    await runner.wake()
    await runner.stop(grace=0)
    assert await rows() == []

    await asyncio.to_thread(gate.touch)
    await runner.start()
    await ended(runner, reply)

    (row,) = await rows()
    assert (row.attempt, row.outcome, row.unknown_attempts) == (2, "done", 1)


def test_a_late_worker_writes_no_row_and_a_dead_ones_work_is_unknown() -> None:
    ask(scripted([{"text": "Hi"}]))
    (old,) = claim_replies(10)
    seem_dead(old.id)
    sweep_stalled()
    (new,) = claim_replies(10)

    assert finish_reply(ReplyStream(new), Outcome.DONE, []) is True
    assert finish_reply(ReplyStream(old), Outcome.DONE, []) is False

    row = Usage.objects.get()
    assert (row.attempt, row.unknown_attempts) == (2, 1)


def test_a_reply_whose_workers_died_is_in_the_ledger_as_unknown() -> None:
    ask(scripted([{"text": "Hi"}]))
    (claim,) = claim_replies(10)
    for _ in range(3):
        seem_dead(claim.id)
        sweep_stalled()
        claim_replies(10)

    row = Usage.objects.get()
    assert (row.outcome, row.code, row.input_tokens, row.cost) == ("failed", "worker_lost", None, None)


def test_a_reply_deleted_while_it_runs_was_called_for_and_one_that_waits_was_not() -> None:
    model = scripted([{"text": "Hi"}])
    owner, running = ask(model)
    claim_replies(10)
    _, waiting = ask(model, owner)

    for reply in (running, waiting):
        actions.delete_conversation(owner, reply.conversation_id)

    row = Usage.objects.get()
    assert (row.message, row.outcome, row.code, row.cost) == (running.id, "stopped", "deleted", None)


def test_names_stay_when_what_they_name_is_deleted_even_while_it_answers() -> None:
    model = scripted([{"text": "Hi"}])
    ask(model)
    (claim,) = claim_replies(10)
    deployment = Deployment.objects.get(model=model)
    label = str(deployment)
    model.delete()

    route = [
        {
            "outcome": "answered",
            "seconds": 0.1,
            "model": model.name,
            "deployment": label,
            "deployment_id": str(deployment.id),
            "model_id": str(uuid.uuid4()),
        }
    ]
    assert finish_reply(ReplyStream(claim), Outcome.DONE, route)

    row = Usage.objects.get()
    assert (row.model, row.model_name) == (None, model.name)
    assert (row.deployment, row.deployment_name) == (None, label)


def test_a_count_nobody_can_believe_does_not_keep_a_reply_from_ending() -> None:
    ask(scripted([{"text": "Hi"}]))
    (claim,) = claim_replies(10)
    stream = ReplyStream(claim)
    stream.usage = Counts(10**15, 5)
    assert finish_reply(stream, Outcome.DONE, [])
    assert Usage.objects.get().input_tokens is None


def seem_dead(reply_id: uuid.UUID) -> None:
    Message.objects.filter(id=reply_id).update(heartbeat_at="2020-01-01T00:00:00Z")
