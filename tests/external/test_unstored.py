"""Completions of which nothing is kept: budgets and limits hold for them as for all others, however they end."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.llm import instances, line
from chatcore.offload import offload
from chatcore.usage.errors import BudgetExceeded, PriceUnknown
from chatcore.usage.models import Reservation, Usage
from chatcore.usage.tasks import sweep_reservations
from conversations import actions, unstored
from conversations.errors import TooManyReplies
from conversations.models import UnstoredReply
from external.openai.door import openai_door
from external.openai.requests import ChatRequest
from external.openai.unstored import Unstored, open_unstored
from tests.factories import make_conversation, make_key_principal, make_model, make_principal
from tests.replying import scripted_provider
from tests.until import until
from tests.usage.factories import PRICES, make_budget
from tests.usage.spending import state

__all__ = ["scripted_provider"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_provider")]
HELLO = {"model": "plain", "messages": [{"role": "user", "content": "Hello"}], "store": False}


def make_place(*script: dict[str, Any], prices: Mapping[str, Any] | None = None, **limits: Any) -> Principal:
    """An integration with these limits, and the model that it asks."""
    model = make_model("plain", kind="scripted", options={"script": [*script, {"text": "Hi"}]})
    model.prices = prices
    model.save()
    key = make_key_principal(make_principal(), "*:*")
    assert key.integration
    key.integration.constraints = limits
    key.integration.save()
    return key


async def opened(key: Principal) -> Unstored:
    return await open_unstored(key, ChatRequest.model_validate(HELLO))


async def read(source: Unstored) -> str:
    try:
        async with aclosing(source.events()) as events:
            async for _ in events:
                pass
    finally:
        source.close()
        await line.shared().settled()
        await instances.close_all()
    return source.text


async def test_of_fifty_at_once_only_those_are_asked_that_a_budget_has_room_for() -> None:
    key = await offload(make_place)
    budget = await offload(make_budget, key, 1)

    results = await asyncio.gather(*(opened(key) for _ in range(50)), return_exceptions=True)

    (source,) = (each for each in results if isinstance(each, Unstored))
    refusals = [each for each in results if isinstance(each, BudgetExceeded)]
    assert len(refusals) == 49
    assert all(each.resets_at and each.retry_after for each in refusals)
    assert refusals[0].detail.startswith("The workspace's budget of 1 request a month ")
    assert await offload(state, budget) == (0, 1)
    assert await read(source) == "Hi"
    assert await offload(state, budget) == (1, 0)
    assert not await offload(Reservation.objects.exists)
    assert not await offload(UnstoredReply.objects.exists)


async def test_money_is_set_aside_and_then_charged_as_it_was_spent() -> None:
    usage = {"usage": {"input_tokens": 1_000, "output_tokens": 100}}
    key = await offload(make_place, usage, prices=PRICES)
    budget = await offload(make_budget, key, "1", "money")
    source = await opened(key)
    spent, reserved = await offload(state, budget)
    assert spent == 0 < reserved
    await read(source)
    assert await offload(state, budget) == (Decimal("0.003"), 0)


async def test_a_strict_budget_refuses_a_model_whose_price_is_unknown() -> None:
    key = await offload(make_place)
    await offload(make_budget, key, "1", "money", strict=True)
    with pytest.raises(PriceUnknown):
        await opened(key)
    assert not await offload(UnstoredReply.objects.exists)


async def test_an_integration_has_no_more_of_them_under_way_than_it_may() -> None:
    key = await offload(make_place, concurrency=2)
    sources = [await opened(key) for _ in range(2)]
    talk = await offload(make_conversation, key)
    with pytest.raises(TooManyReplies):
        await opened(key)
    with pytest.raises(TooManyReplies):
        await offload(actions.post_message, key, talk.id, text="Hello", model="plain")
    await read(sources[0])
    await offload(actions.post_message, key, talk.id, text="Hello", model="plain")
    with pytest.raises(TooManyReplies):
        await opened(key)


async def test_a_client_that_leaves_before_the_first_word_is_in_the_ledger(tmp_path: Path) -> None:
    mark = tmp_path / "asked"
    key = await offload(make_place, {"mark": str(mark)}, {"hang": True})
    budget = await offload(make_budget, key, 5)
    reading = asyncio.ensure_future(read(await opened(key)))
    await until(mark.exists)
    reading.cancel()
    await asyncio.wait([reading])

    call = await offload(Usage.objects.get)
    assert (call.purpose, call.outcome, call.model_name) == ("reply", "stopped", "plain")
    assert (call.message, call.input_tokens, call.cost) == (None, None, None)
    assert await offload(state, budget) == (1, 0)


async def test_a_client_that_leaves_before_the_model_is_asked_takes_nothing() -> None:
    key = await offload(make_place)
    budget = await offload(make_budget, key, 1)
    (await opened(key)).close()
    await line.shared().settled()
    assert not await offload(Usage.objects.exists)
    assert await offload(state, budget) == (0, 0)
    assert await read(await opened(key)) == "Hi"


async def test_what_is_set_aside_stays_so_for_as_long_as_it_is_made_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstored, "RENEW_SECONDS", 0.02)
    gate = tmp_path / "gate"
    key = await offload(make_place, {"wait": str(gate)})
    budget = await offload(make_budget, key, 5)
    lost, source = await opened(key), await opened(key)
    old = timezone.now() - timedelta(minutes=10)
    await offload(UnstoredReply.objects.update, expires_at=old)
    await offload(Reservation.objects.update, created_at=old)
    reading = asyncio.ensure_future(read(source))
    await until(lambda: offload(UnstoredReply.objects.filter(expires_at__gt=timezone.now()).exists))

    assert await offload(sweep_reservations) == 1
    await offload(unstored.sweep_unstored)
    assert await offload(state, budget) == (0, 1)
    assert not await offload(UnstoredReply.objects.filter(id=lost.reply_id).exists)
    gate.touch()
    assert await reading == "Hi"
    assert await offload(state, budget) == (1, 0)


async def test_the_door_says_whose_budget_it_is_and_when_it_starts_anew() -> None:
    def spend() -> str:
        key = make_place()
        assert isinstance(key.integration, Integration)
        make_budget(key, 1, period="day", integration=key.integration)
        return keys.mint(key.integration)[1]

    headers = [(b"authorization", f"Bearer {await offload(spend)}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    answers = [await answered(scope), await answered(scope)]
    assert [start["status"] for start, _ in answers] == [200, 429]
    start, body = answers[1]
    assert 0 < int(dict(start["headers"])[b"retry-after"]) <= 86_400
    assert body["error"]["code"] == "insufficient_quota"
    assert body["error"]["message"].startswith("This integration's budget of 1 request a day is spent.")
    assert "It starts anew on" in body["error"]["message"]
    await line.shared().settled()
    await instances.close_all()


async def answered(scope: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    sent: list[Mapping[str, Any]] = []
    asked = [{"type": "http.request", "body": json.dumps(HELLO).encode()}]

    async def receive() -> Mapping[str, Any]:
        if asked:
            return asked.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    async with asyncio.timeout(30):
        await openai_door(scope | {"client": ("127.0.0.1", 1), "query_string": b""}, receive, send)
    return dict(sent[0]), json.loads(b"".join(part.get("body", b"") for part in sent[1:]))
