"""Failover over real HTTP before the first token: upstreams that refuse, hang or turn away, and one that is well."""

import asyncio
import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from chatcore.llm import breakers, instances, line, routing
from chatcore.llm.attempts import Attempt
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment, Model, Provider
from chatcore.llm.traffic import Call, DeploymentHealth
from chatcore.llm.types import Finished, Usage
from chatcore.offload import offload
from tests.llm.asking import text_of
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.llm.routes import GOOD, REQUEST, Asked, deaf, health, is_open, model_of
from tests.upstreams.plans import refusal
from tests.upstreams.server import Upstream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closing")]


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("refuse-401", "auth"),
        ("refuse-429", "rate_limited"),
        ("refuse-500", "unavailable"),
        ("refuse-529", "overloaded"),
        ("refuse-400", "bad_request"),
        ("garbage", "garbage"),
        ("empty", "empty"),
    ],
)
async def test_a_refusal_is_passed_over_in_silence(
    upstream: Upstream, asked: Asked, first: str, code: str
) -> None:
    model = await model_of(("A", upstream.url, first), ("B", upstream.url, "good"))
    assert await asked(model) == GOOD
    assert asked.outcomes == [("A", code), ("B", "answered")]
    assert asked.restarts == []


async def test_a_refused_connection_is_passed_over(dead: str, upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", dead, "any"), ("B", upstream.url, "good"))
    assert await asked(model) == GOOD
    assert asked.outcomes == [("A", "unavailable"), ("B", "answered")]


async def test_an_upstream_that_hangs_is_left_after_the_time_for_a_first_token(
    upstream: Upstream, asked: Asked, settings: Settings
) -> None:
    settings.MODEL_FIRST_TOKEN_TIMEOUT = 0.2
    model = await model_of(("A", upstream.url, "hang"), ("B", upstream.url, "good"), max_concurrent=1)
    assert await asked(model) == GOOD
    assert asked.outcomes == [("A", "timeout"), ("B", "answered")]
    await line.shared().settled()
    assert not await offload(Call.objects.filter(expires_at__gt=Now()).exists)
    assert await asyncio.to_thread(upstream.heard.left.wait, 10)


async def test_an_address_that_takes_no_connection_is_left_soon(
    upstream: Upstream, asked: Asked, settings: Settings
) -> None:
    settings.MODEL_CONNECT_TIMEOUT = 0.2
    with deaf() as address:
        model = await model_of(("A", address, "any"), ("B", upstream.url, "good"))
        assert await asked(model) == GOOD
    assert asked.outcomes == [("A", "timeout"), ("B", "answered")]
    assert asked.attempts[0].seconds < settings.MODEL_FIRST_TOKEN_TIMEOUT / 2


async def test_one_total_time_counts_for_all_that_are_asked(
    upstream: Upstream, asked: Asked, settings: Settings
) -> None:
    settings.MODEL_TOTAL_TIMEOUT = 0.2
    model = await model_of(("A", upstream.url, "hang"), ("B", upstream.url, "good"))
    with pytest.raises(ProviderError, match="timeout"):
        await asked(model)
    assert asked.outcomes == [("A", "timeout"), ("B", "timeout")]
    assert len(upstream.requests) == 1


async def test_a_refused_key_is_not_tried_again_until_it_is_changed(upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", upstream.url, "refuse-401"), ("B", upstream.url, "good"))
    for _ in range(3):
        assert await asked(model) == GOOD
    assert asked.outcomes == [
        ("A", "auth"),
        ("B", "answered"),
        *[("A", "circuit_open"), ("B", "answered")] * 2,
    ]
    upstream.plan("refuse-401")
    await offload(lambda: Provider.objects.get(name="A").save())
    assert await asked(model) == GOOD
    assert asked.outcomes[-1] == ("A", "answered")
    assert not await is_open("A")


async def test_retry_after_is_honoured(upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", upstream.url, "refuse-429"), ("B", upstream.url, "good"))
    await asked(model)
    await asked(model)
    assert [request.body["model"] for request in upstream.requests] == ["refuse-429", "good", "good"]
    row = await health("A")
    assert row
    assert row.open_until
    assert row.failed_at
    assert (row.open_until - row.failed_at).total_seconds() == pytest.approx(7)


@pytest.mark.parametrize("first", ["refuse-400", "empty", "too-long"])
async def test_what_the_asker_made_of_it_opens_nothing(upstream: Upstream, asked: Asked, first: str) -> None:
    upstream.plan("too-long", refusal(400, "maximum context length is 8192 tokens"))
    model = await model_of(("A", upstream.url, first), ("B", upstream.url, "good"))
    for _ in range(4):
        assert await asked(model) == GOOD
    assert await health("A") is None


async def test_the_next_model_is_told_of_where_the_first_ones_breaker_is_open(
    upstream: Upstream, asked: Asked
) -> None:
    model = await model_of(("A", upstream.url, "refuse-401"), ("B", upstream.url, "good"))
    await asked(model)
    asked.attempts.clear()
    await asked(model)
    passed, answered = asked.attempts
    assert (passed.outcome, passed.seconds) == ("circuit_open", 0.0)
    assert uuid.UUID(answered.deployment_id)
    assert answered.model_id == str(model.pk)
    assert answered.seconds > 0


async def test_when_every_breaker_is_open_it_fails_at_once_and_says_when_it_is_tried_again(
    upstream: Upstream, asked: Asked
) -> None:
    model = await model_of(("A", upstream.url, "refuse-401"))
    for expected in ("auth", "circuit_open", "circuit_open"):
        with pytest.raises(ProviderError) as caught:
            await asked(model)
        assert caught.value.code == expected
    assert len(upstream.requests) == 1
    assert "again in 30 seconds" in caught.value.words


async def test_the_only_one_is_tried_early_when_it_may_be_back(upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", upstream.url, "refuse-500"))
    for _ in range(3):
        with pytest.raises(ProviderError, match="unavailable"):
            await asked(model)
    with pytest.raises(ProviderError, match="circuit_open"):
        await asked(model)
    upstream.plan("refuse-500")
    past = F("not_before") - timedelta(seconds=6)
    await offload(DeploymentHealth.objects.update, not_before=past)
    assert await asked(model) == GOOD
    assert not await is_open("A")


async def test_one_that_was_stopped_leaves_the_probe_to_the_next(upstream: Upstream, asked: Asked) -> None:
    model = await model_of(("A", upstream.url, "hang"), ("B", upstream.url, "good"))
    await half_open("A")
    asking = asyncio.create_task(asked(model))
    while not upstream.requests:
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await line.shared().settled()
    upstream.plan("hang")
    asked.attempts.clear()
    assert await asked(model) == GOOD
    assert asked.outcomes == [("A", "answered")]


async def half_open(name: str) -> None:
    def opened() -> None:
        deployment = Deployment.objects.get(provider__name=name)
        for _ in range(3):
            breakers.note_failure(deployment.pk, ProviderError("unavailable"))
        DeploymentHealth.objects.update(open_until=F("opened_at"))

    await offload(opened)


async def test_thousand_requests_past_a_dead_and_a_slow_deployment(
    dead: str, upstream: Upstream, second: Upstream
) -> None:
    """The dead one is asked until it has failed three times, and then once when its time is over."""
    second.plan("slow", pause=0.02)

    def made() -> Model:
        model = make_model()
        for name, address, upstream_name, weight in (
            ("dead", dead, "any", 8),
            ("slow", second.url, "slow", 1),
            ("good", upstream.url, "good", 4),
        ):
            provider = make_provider("openai", name=name, base_url=f"{address}/v1")
            make_deployment(model, provider, upstream_name=upstream_name, weight=weight)
        return model

    model, attempts, slots = await offload(made), list[Attempt](), asyncio.Semaphore(25)

    async def one() -> str:
        async with slots:
            events = routing.answer(model.pk, REQUEST, on_attempt=attempts.append)
            return text_of([event async for event in events])

    def at_dead() -> int:
        return sum(each.provider == "dead" and each.outcome == "unavailable" for each in attempts)

    answers = Counter[str]()
    while not await is_open("dead"):
        answers[await one()] += 1
    assert at_dead() == 3
    answers.update(await asyncio.gather(*(one() for _ in range(600))))
    assert at_dead() == 3
    await offload(DeploymentHealth.objects.update, open_until=F("opened_at"))
    answers.update(await asyncio.gather(*(one() for _ in range(1000 - answers.total()))))
    assert at_dead() == 4
    assert answers == {GOOD: 1000}
    answered = Counter(each.provider for each in attempts if each.outcome == "answered")
    assert answered["slow"] > 0
    assert answered.total() == 1000


async def test_a_crowd_at_once_past_a_dead_deployment(dead: str, upstream: Upstream) -> None:
    """Those that ask at the same moment cannot know of each other: all of them may try. Once it is open nobody does,
    and what the others find changes nothing; when its time is over, of the next crowd one tries.
    """
    model = await model_of(("A", dead, "any"), ("B", upstream.url, "good"))
    crowd = 250

    async def at_once() -> Counter[str]:
        attempts = list[Attempt]()

        async def one() -> str:
            events = routing.answer(model.pk, REQUEST, on_attempt=attempts.append)
            return text_of([event async for event in events])

        assert await asyncio.gather(*(one() for _ in range(crowd))) == [GOOD] * crowd
        return Counter(each.outcome for each in attempts if each.provider == "A")

    first = await at_once()
    assert first.total() == crowd
    assert first["unavailable"] >= breakers.THRESHOLD
    opened = await health("A")
    assert opened
    assert opened.open_until
    assert opened.opened_at
    assert (opened.failures, opened.openings) == (breakers.THRESHOLD, 1)
    assert opened.open_until - opened.opened_at == timedelta(seconds=30)
    assert await at_once() == {"circuit_open": crowd}
    still = await health("A")
    assert still
    assert vars(still) | {"_state": None} == vars(opened) | {"_state": None}
    await offload(DeploymentHealth.objects.update, open_until=F("opened_at"))
    assert await at_once() == {"circuit_open": crowd - 1, "unavailable": 1}


async def test_two_workers_share_the_breaker_and_its_probe(dead: str, upstream: Upstream) -> None:
    model = await model_of(("A", dead, "any"), ("B", upstream.url, "good"))
    await half_open("A")
    attempts: list[Attempt] = []
    begin = threading.Barrier(2)

    async def work() -> list[str]:
        begin.wait(10)
        try:
            return await asyncio.gather(*(one() for _ in range(20)))
        finally:
            await line.close()
            await instances.close_all()

    async def one() -> str:
        events = routing.answer(model.pk, REQUEST, on_attempt=attempts.append)
        return text_of([event async for event in events])

    workers = [asyncio.to_thread(asyncio.run, work()) for _ in range(2)]
    answers = [text for texts in await asyncio.gather(*workers) for text in texts]
    assert answers == [GOOD] * 40
    assert Counter(each.outcome for each in attempts if each.provider == "A") == {
        "unavailable": 1,
        "circuit_open": 39,
    }


async def test_usage_and_the_end_come_as_they_were(upstream: Upstream) -> None:
    model = await model_of(("A", upstream.url, "good"))
    events = [event async for event in routing.answer(model.pk, REQUEST)]
    assert isinstance(events[-2], Usage)
    assert events[-1] == Finished("stop")
