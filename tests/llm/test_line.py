"""Requests that find no place wait in line: real answers over HTTP, of one worker and of two."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from chatcore.llm import breakers, instances, line, places, routing
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment, Model, Provider
from chatcore.llm.places import Place
from chatcore.llm.traffic import Call, DeploymentHealth, Waiter
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


PATIENCE = 20  # seconds, in which a request that never ends is found out


def open_breaker(deployment: Deployment, error: ProviderError, **moved: Any) -> None:
    for _ in range(3):
        breakers.note_failure(deployment.pk, error)
    DeploymentHealth.objects.filter(deployment=deployment).update(**moved)


async def half_open(model: Model) -> None:
    """It turned requests away for a moment, which is over."""
    deployment = await offload(model.deployments.get)
    error = ProviderError("rate_limited", retry_after=1)
    await offload(open_breaker, deployment, error, open_until=F("opened_at"))


async def test_one_waits_at_a_half_open_breaker_as_at_a_closed_one(
    upstream: Upstream, crowd: type[Crowd], settings: Settings
) -> None:
    settings.MODEL_WAIT_TIMEOUT = 0.5
    model = await offload(limited, upstream, "any", rpm=1)
    await crowd.ask(model)
    await half_open(model)
    positions: list[int] = []
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ProviderError, match="busy"):
            await crowd.ask(model, positions)
    assert set(positions) == {1}
    assert len(upstream.requests) == 1


async def test_a_crowd_at_a_half_open_breaker_is_let_in_by_the_first_of_it(
    upstream: Upstream, crowd: type[Crowd]
) -> None:
    upstream.plan("slow", pause=0.01)
    model = await offload(limited, upstream, "slow", max_concurrent=2)
    deployment = await offload(model.deployments.get)
    held = [await offload(places.take_place, deployment.pk, 1) for _ in range(2)]
    await half_open(model)
    told: list[list[int]] = [[] for _ in range(6)]
    asking = [asyncio.create_task(crowd.ask(model, positions)) for positions in told]
    async with asyncio.timeout(PATIENCE):
        while not all(told):
            await asyncio.sleep(0.01)
        for call in held:
            assert call
            await offload(places.leave, call, None)
        assert await asyncio.gather(*asking) == ["Hello from the upstream"] * 6
    assert crowd.most <= 2
    health = await offload(DeploymentHealth.objects.get)
    assert (health.open_until, health.openings) == (None, 0)


async def test_all_waits_of_a_request_end_at_one_time(
    upstream: Upstream, crowd: type[Crowd], settings: Settings
) -> None:
    settings.MODEL_WAIT_TIMEOUT = 0.5
    model = await offload(limited, upstream, "refuse-500", max_concurrent=1)
    provider = await offload(Provider.objects.get)
    first = await offload(model.deployments.get)
    second = await offload(
        make_deployment, model, provider, upstream_name="second", priority=1, max_concurrent=1
    )
    held, _ = [await offload(places.take_place, each.pk, 1) for each in (first, second)]
    positions: list[int] = []
    asking = asyncio.create_task(crowd.ask(model, positions))
    async with asyncio.timeout(PATIENCE):
        while not positions:
            await asyncio.sleep(0.01)
        settings.MODEL_WAIT_TIMEOUT = 600
        assert held
        await offload(places.leave, held, None)
        with pytest.raises(ProviderError, match="busy"):
            await asking
    assert [request.body["model"] for request in upstream.requests] == ["refuse-500"]


async def test_a_place_that_comes_at_the_last_moment_is_taken(upstream: Upstream) -> None:
    model = await offload(limited, upstream, "any", max_concurrent=1)
    deployment = await offload(model.deployments.get)
    call = await offload(places.take_place, deployment.pk, 1)
    assert call
    loop, ours, place = asyncio.get_running_loop(), line.shared(), Place(deployment.pk, call)
    until = loop.time() + 0.5
    asking = asyncio.create_task(ours.turn([deployment.pk], 1, until, lambda _: None))
    while not ours._waiting:
        await asyncio.sleep(0.01)
    (waiting,) = ours._waiting.values()
    loop.call_at(until - 1e-6, waiting.turn.set_result, place)  # in the same step of the loop as the end
    assert await asking == place
    ours.leave(call, None)


async def test_whoever_looks_early_whether_it_is_back_keeps_to_its_limits(
    upstream: Upstream, crowd: type[Crowd]
) -> None:
    model = await offload(limited, upstream, "any", max_concurrent=1)
    deployment = await offload(model.deployments.get)
    held = await offload(places.take_place, deployment.pk, 1)
    past = F("not_before") - timedelta(seconds=10)
    await offload(open_breaker, deployment, ProviderError("unavailable"), not_before=past)
    with pytest.raises(ProviderError, match="circuit_open"):
        await crowd.ask(model)
    assert upstream.requests == []
    assert held
    await offload(places.leave, held, None)
    assert await crowd.ask(model) == "Hello from the upstream"
    await line.shared().settled()
    assert await offload(Call.objects.count) == 2
