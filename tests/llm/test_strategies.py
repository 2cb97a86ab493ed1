"""In which order the deployments of one priority are asked."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from chatcore.llm import candidates, latencies, line, places, routing
from chatcore.llm.models import Deployment, Model
from chatcore.llm.traffic import Call, DeploymentHealth
from chatcore.llm.types import ModelRequest, TextDelta, Turn
from chatcore.offload import offload
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.upstreams.server import Upstream

pytestmark = pytest.mark.django_db
REQUEST = ModelRequest("", (Turn("user", "Hello?"),))


@pytest.fixture
def _steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request measures what is not the fastest."""
    monkeypatch.setattr(candidates, "EXPLORATION", 0.0)


def model_of(
    strategy: str, *names: str, kind: str = "demo", **fields: Any
) -> tuple[Model, dict[str, Deployment]]:
    model = make_model(strategy=strategy, **fields)
    return model, {name: make_deployment(model, make_provider(kind, name=name)) for name in names}


def priced(costs: dict[str, Any], **fields: Any) -> Model:
    """A model that wants the cheapest of deployments that cost this."""
    model, deployments = model_of("cheapest", *costs, kind="scripted", **fields)
    for name, price in costs.items():
        Deployment.objects.filter(pk=deployments[name].pk).update(prices=price)
    return model


def firsts(model: Model, requests: int = 40) -> Counter[str]:
    """Who is asked first, how often."""
    return Counter(candidates.candidates(model.pk)[0].provider for _ in range(requests))


def order(model: Model, input_tokens: int = 0) -> list[str]:
    return [each.provider for each in candidates.candidates(model.pk, input_tokens)]


def test_the_least_busy_comes_first() -> None:
    model, deployments = model_of("least_busy", "A", "B", "C")
    calls = [places.count_call(deployments[name].pk, 1) for name in "AAB"]
    assert order(model) == ["C", "B", "A"]
    for call in calls[:2]:
        places.leave(call, None)
    places.count_call(deployments["C"].pk, 1)
    assert order(model)[0] == "A"


def test_equally_busy_ones_are_drawn_by_weight() -> None:
    model, _ = model_of("least_busy", "A", "B")
    assert set(firsts(model)) == {"A", "B"}


@pytest.mark.django_db(transaction=True)
async def test_those_who_ask_at_once_are_not_all_sent_to_the_same_one() -> None:
    model, _ = await offload(model_of, "least_busy", "A", "B", "C")
    found = await asyncio.gather(*(candidates.found(model.pk) for _ in range(6)))
    assert Counter(order[0].provider for order in found) == {"A": 2, "B": 2, "C": 2}


@pytest.mark.usefixtures("_steady")
def test_the_shortest_median_comes_first() -> None:
    model, deployments = model_of("lowest_latency", "A", "B")
    for name, measured in (("A", [0.2, 0.2, 9.0]), ("B", [0.1, 0.5, 0.5])):
        for seconds in measured:
            latencies.note(deployments[name].pk, seconds)
    assert firsts(model) == {"A": 40}


@pytest.mark.usefixtures("_steady")
def test_old_measurements_give_way_to_new_ones() -> None:
    model, deployments = model_of("lowest_latency", "A", "B")
    for seconds in [0.1] * latencies.KEPT + [1.0] * latencies.KEPT:
        latencies.note(deployments["A"].pk, seconds)
    latencies.note(deployments["B"].pk, 0.5)
    assert order(model) == ["B", "A"]
    assert len(DeploymentHealth.objects.get(deployment=deployments["A"]).latencies) == latencies.KEPT


@pytest.mark.usefixtures("_steady")
def test_what_was_never_measured_is_tried() -> None:
    model, deployments = model_of("lowest_latency", "A", "B")
    latencies.note(deployments["A"].pk, 0.001)
    assert order(model) == ["B", "A"]


def test_now_and_then_the_slower_one_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "EXPLORATION", 1.0)
    model, deployments = model_of("lowest_latency", "A", "B")
    for name, seconds in (("A", 0.1), ("B", 5.0)):
        latencies.note(deployments[name].pk, seconds)
    assert set(firsts(model)) == {"A", "B"}


def test_the_cheapest_comes_first_and_an_unknown_price_last() -> None:
    prices = {
        "A": {"currency": "USD", "input": 1, "output": 100},
        "B": {"currency": "USD", "input": 10, "output": 10},
        "C": {"currency": "USD", "input": 1},
        "D": {"currency": "USD", "input": 0, "output": 0},
    }
    assert order(priced(prices)) == ["D", "B", "A", "C"]


def test_which_is_the_cheapest_depends_on_how_much_is_to_be_read() -> None:
    above = [{"tokens": 1_000, "input": 9, "output": 9}]
    model = priced({"A": {"input": 1, "output": 1, "above": above}, "B": {"input": 2, "output": 2}})
    assert order(model, 1_000) == ["A", "B"]
    assert order(model, 1_001) == ["B", "A"]


@pytest.mark.django_db(transaction=True)
async def test_those_who_ask_at_once_are_each_sent_where_theirs_is_cheapest() -> None:
    above = [{"tokens": 1_000, "input": 9, "output": 9}]
    prices = {"A": {"input": 1, "output": 1, "above": above}, "B": {"input": 2, "output": 2}}
    model = await offload(priced, prices)
    found = await asyncio.gather(*(candidates.found(model.pk, size) for size in (5_000, 10, 5_000)))
    assert [each[0].provider for each in found] == ["B", "A", "B"]


def test_prices_written_as_text_are_compared_as_they_are_charged() -> None:
    assert order(priced({"A": {"input": "3", "output": "3"}, "B": {"input": "2", "output": "2"}})) == [
        "B",
        "A",
    ]


def test_a_price_in_another_currency_comes_after_those_that_can_be_compared() -> None:
    costs = {
        "yen": {"currency": "JPY", "input": 1, "output": 1},
        "dear": {"currency": "EUR", "input": 9, "output": 9},
        "unknown": {"input": 1},
    }
    own = {"currency": "EUR", "input": 1, "output": 1}
    assert order(priced(costs, prices=own)) == ["dear", "yen", "unknown"]


def test_the_vendors_list_counts_where_nobody_entered_a_price() -> None:
    model = make_model(strategy="cheapest")
    for name, upstream_name in (("large", "gpt-4.1"), ("small", "gpt-4.1-nano")):
        make_deployment(model, make_provider("openai", name=name), upstream_name=upstream_name)
    assert order(model) == ["small", "large"]


def test_without_a_price_of_its_own_the_models_counts() -> None:
    model, deployments = model_of("cheapest", "A", "B", prices={"input": 2, "output": 2})
    Deployment.objects.filter(pk=deployments["A"].pk).update(prices={"input": 3, "output": 3})
    assert order(model) == ["B", "A"]


@pytest.mark.parametrize("strategy", Model.Strategy.values)
def test_a_lower_priority_number_comes_before_every_strategy(strategy: str) -> None:
    model, deployments = model_of(strategy, "A", prices={"input": 1, "output": 1})
    make_deployment(model, make_provider(name="reserve"), priority=1, prices={"input": 0, "output": 0})
    places.count_call(deployments["A"].pk, 1)
    latencies.note(deployments["A"].pk, 5)
    assert order(model) == ["A", "reserve"]


def test_a_strategy_that_does_not_exist_is_refused() -> None:
    model = make_model()
    model.strategy = "fastest"
    with pytest.raises(ValidationError, match="fastest"):
        model.full_clean()
    with pytest.raises(IntegrityError):
        model.save()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closing")
@pytest.mark.parametrize(
    ("strategy", "seen"),
    [
        ("least_busy", lambda: Call.objects.count() == 1),
        ("lowest_latency", lambda: DeploymentHealth.objects.get().latencies[0] > 0),
        ("weighted", lambda: not Call.objects.exists() and not DeploymentHealth.objects.exists()),
    ],
)
async def test_an_answer_is_counted_or_measured_only_where_the_strategy_asks_for_it(
    upstream: Upstream, strategy: str, seen: Callable[[], bool]
) -> None:
    model_id = await offload(_reachable, upstream, strategy)
    async with aclosing(routing.answer(model_id, REQUEST)) as events:
        assert isinstance(await anext(events), TextDelta)
        await line.shared().settled()
        assert await offload(seen)
    await line.shared().settled()


def _reachable(upstream: Upstream, strategy: str) -> uuid.UUID:
    provider = make_provider("openai", base_url=f"{upstream.url}/v1")
    return make_deployment(make_model(strategy=strategy), provider).model_id
