"""What calls cost: the model's own prices first, then the vendor's list, and unknown where nobody knows."""

import os
import subprocess
import sys
import uuid
from decimal import Decimal
from typing import Any

import pytest

from chatcore.llm import tokens
from chatcore.llm.models import Deployment
from chatcore.llm.prices import Price, price_of, read_prices
from chatcore.llm.types import Usage as Counts
from chatcore.usage.prices import price_of_model
from chatcore.usage.surroundings import Centre, look_around
from tests.llm.factories import make_deployment, make_model, make_principal, make_provider


def price_of_answer(deployment: Deployment) -> Price | None:
    """As the ledger finds it when a call has ended."""
    (found,) = look_around([Centre(uuid.uuid4(), None, None, None, deployment.pk, None)])
    return found.price


PRICE = Price("USD", Decimal(2), Decimal(10), Decimal("0.5"), Decimal("2.5"))


@pytest.mark.parametrize(
    ("counts", "cost"),
    [
        (Counts(1_000_000, 0), "2"),
        (Counts(0, 1_000_000), "10"),
        (Counts(1_000_000, 0, cached_tokens=400_000), "1.4"),
        (Counts(100, 0, cached_tokens=900), "0.00005"),
        (Counts(1_000_000, 0, cache_write_tokens=400_000), "2.2"),
        (Counts(1_000_000, 0, cached_tokens=400_000, cache_write_tokens=500_000), "1.65"),
        (Counts(100, 0, cached_tokens=60, cache_write_tokens=900), "0.00013"),
        (Counts(0, 0), "0"),
        (Counts(None, 100), None),
        (Counts(100, None), None),
        (None, None),
    ],
)
def test_a_cost_is_exact_or_unknown(counts: Counts | None, cost: str | None) -> None:
    found = PRICE.cost(counts or Counts())
    assert found == (None if cost is None else Decimal(cost))


def test_cached_tokens_without_a_price_of_their_own_cost_what_others_do() -> None:
    price = Price("USD", Decimal(2), Decimal(10))
    assert price.cost(Counts(1_000_000, 0, cached_tokens=500_000, cache_write_tokens=100_000)) == 2


@pytest.mark.parametrize(
    "prices",
    [
        None,
        {},
        [],
        {"input": 1},
        {"input": "free", "output": 1},
        {"input": -1, "output": 1},
        {"input": "NaN", "output": 1},
        {"input": 1, "output": 10**12},
        {"input": 1, "output": 1, "currency": "dollars"},
        {"input": 1, "output": 1, "currency": "U$D"},
        {"input": 1, "output": 1, "above": {"tokens": 5}},
        {"input": 1, "output": 1, "above": [{"input": 5}]},
        {"input": 1, "output": 1, "above": [{"tokens": 5, "input": "dear"}]},
    ],
)
def test_prices_that_make_no_sense_are_unknown(prices: Any) -> None:
    assert read_prices(prices) is None


def test_a_cache_price_that_is_null_is_one_that_was_not_given() -> None:
    price = read_prices({"input": 1, "output": 2, "cached": None, "cache_write": None})
    assert price == Price("USD", Decimal(1), Decimal(2))


@pytest.mark.parametrize(
    ("input_tokens", "cost"),
    [(100_000, "0.205"), (100_001, "0.510005"), (300_000, "3.01")],
)
def test_a_long_prompt_costs_what_is_said_for_long_ones(input_tokens: int, cost: str) -> None:
    above = [{"tokens": 250_000, "input": 10}, {"tokens": 100_000, "input": 5, "output": "10"}]
    price = read_prices({"input": 2, "output": 5, "above": above})
    assert price is not None
    assert price.cost(Counts(input_tokens, 1_000)) == Decimal(cost)


def test_what_a_tier_does_not_name_stays() -> None:
    above = [{"tokens": 100, "input": 4}]
    price = read_prices({"input": 2, "output": 5, "cached": 1, "cache_write": 3, "above": above})
    assert price is not None
    assert price.at(101) == Price("USD", Decimal(4), Decimal(5), Decimal(1), Decimal(3))
    assert price.snapshot() == {
        "currency": "USD",
        "input": "2",
        "output": "5",
        "cached": "1",
        "cache_write": "3",
        "source": "model",
        "above": [{"tokens": 100, "input": "4", "output": "5", "cached": "1", "cache_write": "3"}],
    }
    assert read_prices(price.snapshot()) == price


@pytest.mark.parametrize(
    ("kind", "options", "name", "counts", "cost"),
    [
        ("litellm", {"vendor": "anthropic"}, "claude-haiku-5-5", Counts(150_000, 1_000), "0.0775"),
        ("litellm", {"vendor": "anthropic"}, "claude-haiku-5-5", Counts(100_000, 1_000), "0.0105"),
        ("litellm", {"vendor": "gemini"}, "gemini-2.5-pro", Counts(300_000, 1_000), "0.765"),
        ("openai", {}, "gpt-6-sol", Counts(300_000, 1_000, cached_tokens=100_000), "0.855"),
    ],
)
def test_the_vendors_list_says_what_long_prompts_cost(
    kind: str, options: dict[str, Any], name: str, counts: Counts, cost: str
) -> None:
    price = price_of(None, kind, "", options, name)
    assert price is not None
    assert price.cost(counts) == Decimal(cost)


def test_prices_are_read_as_they_were_written() -> None:
    price = read_prices({"currency": "eur", "input": 1.25, "output": "10", "cached": 0.1})
    assert price == Price("EUR", Decimal("1.25"), Decimal(10), Decimal("0.1"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "fields", "name", "known"),
    [
        ("openai", {"base_url": "https://api.openai.com/v1"}, "gpt-4.1", True),
        ("openai", {}, "gpt-4.1", True),
        ("openai", {"base_url": "https://api.groq.com/openai/v1"}, "openai/gpt-oss-120b", True),
        ("litellm", {"options": {"vendor": "gemini"}}, "gemini-2.5-pro", True),
        ("litellm", {"options": {"vendor": "anthropic"}}, "claude-sonnet-4-5", True),
        ("litellm", {"options": {"vendor": "cohere_chat"}}, "command-a-03-2025", True),
        ("openai", {"base_url": "http://127.0.0.1:11434/v1"}, "gpt-4.1", False),
        ("openai", {"base_url": "https://api.mistral.ai/v1"}, "gpt-4.1", False),
        ("openai", {}, "no-such-model", False),
        ("scripted", {}, "gpt-4.1", False),
    ],
)
def test_the_vendors_list_is_asked_only_of_that_vendor(
    kind: str, fields: dict[str, Any], name: str, known: bool
) -> None:
    deployment = make_deployment(provider=make_provider(kind, **fields), upstream_name=name)
    price = price_of_answer(deployment)
    assert (price is not None) == known
    assert price_of_model(deployment.model) == price
    if price:
        assert 0 < price.input < price.output < 1_000
        assert price.source == "litellm"


@pytest.mark.django_db
def test_staff_know_better_than_the_list() -> None:
    model = make_model(prices={"input": 7, "output": 8})
    deployment = make_deployment(model, make_provider("openai"), upstream_name="gpt-4.1")
    assert price_of_answer(deployment) == price_of_model(model) == Price("USD", Decimal(7), Decimal(8))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "deployment", "price"),
    [
        ({"prices": {"input": 7, "output": 8}}, {}, (7, 8)),
        ({"prices": {"input": 7, "output": 8}}, {"prices": {"input": 5, "output": 6}}, (5, 6)),
        ({}, {}, None),
    ],
)
def test_a_workspaces_own_model_at_a_shared_provider_costs_what_the_shared_one_does(
    model: dict[str, Any], deployment: dict[str, Any], price: tuple[int, int] | None
) -> None:
    provider = make_provider("openai", base_url="https://elsewhere.example/v1")
    make_deployment(make_model(**model), provider, upstream_name="deep", **deployment)
    own = make_model(workspace=make_principal().workspace, prices={"input": 0, "output": 0})
    asked = make_deployment(own, provider, upstream_name="deep")
    expected = Price("USD", Decimal(price[0]), Decimal(price[1])) if price else None
    assert price_of_answer(asked) == price_of_model(own) == expected


@pytest.mark.django_db
def test_what_staff_entered_at_the_deployment_counts_where_no_shared_model_is_there() -> None:
    own = make_model(workspace=make_principal().workspace, prices={"input": 0, "output": 0})
    asked = make_deployment(own, make_provider("scripted"), prices={"input": 3, "output": 4})
    assert price_of_answer(asked) == price_of_model(own) == Price("USD", Decimal(3), Decimal(4))


@pytest.mark.django_db
def test_at_a_provider_of_its_own_a_workspace_says_what_its_model_costs() -> None:
    workspace = make_principal().workspace
    own = make_model(workspace=workspace, prices={"input": 1, "output": 2})
    asked = make_deployment(own, make_provider("openai", workspace=workspace))
    assert price_of_answer(asked) == price_of_model(own) == Price("USD", Decimal(1), Decimal(2))


@pytest.mark.django_db
def test_the_demonstration_is_free() -> None:
    price = price_of_answer(make_deployment())
    assert price is not None
    assert price.cost(Counts(1_000, 1_000)) == 0


def test_the_list_is_read_without_importing_litellm() -> None:
    code = (
        "import django, sys; django.setup(); from chatcore.llm.prices import price_of;"
        "assert price_of(None, 'openai', '', {}, 'gpt-4.1'); assert 'litellm' not in sys.modules"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "chatcore.settings"}
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | environment)


def test_tokens_are_estimated_in_every_script() -> None:
    assert tokens.estimate("") == 0
    assert tokens.estimate("Hello, world") == 3
    assert tokens.estimate("你好世界") == 3
    assert tokens.estimate("\ud800") == 1
    assert tokens.estimate_turns(["Hello, world", ""]) == 3 + 2 * tokens.TOKENS_PER_TURN
