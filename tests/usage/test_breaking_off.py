"""What replies cost that end before their end: while they wait, before the first word, in mid-answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatcore.llm import places
from chatcore.llm.models import Deployment, Model
from chatcore.llm.types import ModelRequest, Turn
from chatcore.offload import offload
from chatcore.usage.models import Usage
from conversations import actions
from conversations.runner import Runner
from external.openai.unstored import Unstored
from tests.factories import make_model, make_principal
from tests.replying import Script, Watching, ended
from tests.usage.factories import PRICES, make_budget
from tests.usage.spending import ask, start, state

pytestmark = pytest.mark.django_db(transaction=True)


def scripted(script: Script) -> Model:
    model = make_model(kind="scripted", options={"script": script})
    model.prices = PRICES
    model.save()
    return model


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await offload(condition):
            await asyncio.sleep(0.02)


async def test_a_reply_that_is_stopped_in_line_was_no_call(runner: Runner) -> None:
    model = await offload(scripted, [{"text": "Never said"}])
    await offload(Deployment.objects.update, max_concurrent=1)
    deployment = await offload(Deployment.objects.get)
    assert await offload(places.take_place, deployment.pk, 1)
    owner = await offload(make_principal)
    budget = await offload(make_budget, owner, 2)
    reply = await offload(lambda: ask(owner, start(owner, model)))
    watching = await Watching(reply).follow()
    await runner.wake()
    await watching.saw("reply.waiting", position=1)

    await offload(actions.stop_reply, owner, reply.id)
    await watching.ended()

    assert await offload(state, budget) == (0, 0)
    assert not await offload(Usage.objects.exists)


async def test_a_reply_that_is_stopped_before_its_first_word_was_a_call_of_unknown_cost(
    runner: Runner, tmp_path: Path
) -> None:
    mark = tmp_path / "asked"
    model = await offload(scripted, [{"mark": str(mark)}, {"hang": True}])
    owner = await offload(make_principal)
    budget = await offload(make_budget, owner, 2)
    reply = await offload(lambda: ask(owner, start(owner, model)))
    await runner.wake()
    await until(mark.exists)

    await offload(actions.stop_reply, owner, reply.id)
    told = await ended(runner, reply)

    assert [each["outcome"] for each in told.route] == ["stopped"]
    row = await offload(Usage.objects.get)
    assert (row.outcome, row.input_tokens, row.output_tokens, row.cost) == ("stopped", None, None, None)
    assert row.unknown_attempts == 0
    assert await offload(state, budget) == (1, 0)


async def test_a_reply_that_breaks_off_is_estimated_from_what_it_said(runner: Runner) -> None:
    """Its vendor charges what was generated; what is kept of it was not free."""
    script = [{"text": "Half. " * 20}, {"error": {"code": "overloaded"}}]
    model = await offload(scripted, script)
    owner = await offload(make_principal)
    budget = await offload(make_budget, owner, 10_000, "tokens")
    reply = await offload(lambda: ask(owner, start(owner, model)))

    assert (await ended(runner, reply)).text == "Half. " * 20

    row = await offload(Usage.objects.get)
    assert (row.outcome, row.code, row.estimated) == ("failed", "overloaded", True)
    assert (row.input_tokens, row.output_tokens, row.unknown_attempts) == (104, 30, 0)
    assert row.cost is not None
    assert await offload(state, budget) == (134, 0)


async def test_whoever_leaves_an_unstored_completion_before_its_first_word_has_made_a_call(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "asked"
    model = await offload(scripted, [{"mark": str(mark)}, {"hang": True}])
    owner = await offload(make_principal)
    budget = await offload(make_budget, owner, 2)
    unstored = Unstored(owner, model, ModelRequest("", (Turn("user", "Hello?"),)))

    async def read() -> None:
        async for _ in unstored.events():
            pass

    reading = asyncio.create_task(read())
    await until(mark.exists)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert (await offload(Usage.objects.get)).outcome == "stopped"
    assert await offload(state, budget) == (1, 0)
