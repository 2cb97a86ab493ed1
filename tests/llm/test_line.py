"""Requests that find no place wait in line: real answers over HTTP, of one worker and of two."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from chatcore.llm import instances, line, routing
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Model, Provider
from chatcore.llm.traffic import Call, Waiter
from chatcore.llm.types import Finished, ModelRequest, Turn
from chatcore.offload import offload
from tests.llm.asking import text_of
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.upstreams.server import Upstream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closing")]
REQUEST = ModelRequest("", (Turn("user", "Hello?"),))


def limited(upstream: Upstream, upstream_name: str, **limits: Any) -> Model:
    provider = make_provider("openai", base_url=f"{upstream.url}/v1")
    return make_deployment(make_model(), provider, upstream_name=upstream_name, **limits).model


class Crowd:
    """Requests of one worker; notes how many answers ran at the same time, over all crowds."""

    running = 0
    most = 0

    @classmethod
    async def ask(cls, model: Model, positions: list[int] | None = None) -> str:
        told = positions.append if positions is not None else None
        text, began = "", False
        async for event in routing.answer(model.pk, REQUEST, on_wait=told):
            if not began:
                began, cls.running = True, cls.running + 1
                cls.most = max(cls.most, cls.running)
            if isinstance(event, Finished):
                cls.running -= 1
            text += text_of([event])
        return text


@pytest.fixture
def crowd() -> type[Crowd]:
    Crowd.running = Crowd.most = 0
    return Crowd


async def test_a_crowd_is_served_in_order_and_never_too_many_at_a_time(
    upstream: Upstream, crowd: type[Crowd]
) -> None:
    upstream.plan("slow", pause=0.01)
    model = await offload(limited, upstream, "slow", max_concurrent=2)
    answers = await asyncio.gather(*(crowd.ask(model) for _ in range(12)))
    assert answers == ["Hello from the upstream"] * 12
    assert crowd.most <= 2
    await line.shared().settled()
    assert not await offload(Waiter.objects.exists)
    assert not await offload(Call.objects.filter(expires_at__gt=Now()).exists)


async def test_two_workers_share_the_limit(upstream: Upstream, crowd: type[Crowd]) -> None:
    upstream.plan("slow", pause=0.01)
    model = await offload(limited, upstream, "slow", max_concurrent=2)

    async def work() -> list[str]:
        try:
            return await asyncio.gather(*(crowd.ask(model) for _ in range(6)))
        finally:
            await line.close()
            await instances.close_all()

    workers = [asyncio.to_thread(asyncio.run, work()) for _ in range(2)]
    answers = [text for texts in await asyncio.gather(*workers) for text in texts]
    assert Counter(answers) == {"Hello from the upstream": 12}
    assert crowd.most <= 2


async def test_one_that_waits_too_long_is_told_so(
    upstream: Upstream, crowd: type[Crowd], settings: Settings
) -> None:
    settings.MODEL_WAIT_TIMEOUT = 0.3
    model = await offload(limited, upstream, "any", rpm=1)
    await crowd.ask(model)
    positions: list[int] = []
    with pytest.raises(ProviderError) as caught:
        await crowd.ask(model, positions)
    assert (caught.value.code, caught.value.retryable) == ("busy", True)
    assert set(positions) == {1}


async def test_a_free_fallback_is_asked_before_anybody_waits(upstream: Upstream, crowd: type[Crowd]) -> None:
    model = await offload(limited, upstream, "first", rpm=1)
    provider = await offload(Provider.objects.get)
    await offload(make_deployment, model, provider, upstream_name="second", priority=1)
    positions: list[int] = []
    for _ in range(3):
        await crowd.ask(model, positions)
    assert [request.body["model"] for request in upstream.requests] == ["first", "second", "second"]
    assert positions == []


async def test_a_title_does_not_wait(upstream: Upstream, crowd: type[Crowd]) -> None:
    model = await offload(limited, upstream, "any", rpm=1)
    await crowd.ask(model)
    title = ModelRequest("", REQUEST.turns, purpose="title")
    with pytest.raises(ProviderError, match="busy"):
        await anext(routing.answer(model.pk, title))


async def test_those_who_wait_for_one_that_fails_are_told(
    upstream: Upstream, crowd: type[Crowd], settings: Settings
) -> None:
    settings.MODEL_FIRST_TOKEN_TIMEOUT = 0.3
    model = await offload(limited, upstream, "hang", max_concurrent=1)
    answers = await asyncio.gather(*(crowd.ask(model) for _ in range(5)), return_exceptions=True)
    codes = Counter(each.code if isinstance(each, ProviderError) else str(each) for each in answers)
    assert codes == {"timeout": 3, "circuit_open": 2}


async def test_one_that_leaves_the_line_makes_room_at_once(upstream: Upstream, crowd: type[Crowd]) -> None:
    upstream.plan("hang", hang_after=1)
    model = await offload(limited, upstream, "hang", max_concurrent=1)
    holding = asyncio.create_task(crowd.ask(model))
    while crowd.running == 0:
        await asyncio.sleep(0.01)
    asked: list[list[int]] = [[], []]
    waiting = []
    for positions in asked:
        waiting.append(asyncio.create_task(crowd.ask(model, positions)))
        while not positions:
            await asyncio.sleep(0.01)
    assert [positions[-1] for positions in asked] == [1, 2]
    waiting[0].cancel()
    while asked[1][-1] != 1:
        await asyncio.sleep(0.01)
    holding.cancel()
    while asked[1][-1] != 0:
        await asyncio.sleep(0.01)
    waiting[1].cancel()
    await asyncio.gather(holding, *waiting, return_exceptions=True)
    await line.shared().settled()
    running = Call.objects.filter(expires_at__gt=Now())
    assert not await offload(running.exists)
