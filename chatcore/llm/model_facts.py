"""What is known of a model by its name: sizes, abilities and prices, from the map that LiteLLM's package ships.

The map is a file of 3 MB and is read for each question (30 ms): staff ask rarely, and LiteLLM is not imported.
"""

import functools
import importlib.util
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chatcore.llm import catalogue
from chatcore.llm.catalogue import KnownModel
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.services import service_of

MAP = "model_prices_and_context_window_backup.json"
CONVERSING = frozenset({"chat", "responses"})
# Names without a prefix stand for models of several vendors. These begin the names the map gives to those.
PLAIN = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "cohere": ("cohere",),
    "bedrock": ("bedrock",),
    "vertex": ("vertex_ai",),
}
ABILITIES = {
    "vision": "supports_vision",
    "tools": "supports_function_calling",
    "reasoning": "supports_reasoning",
    "json": "supports_response_schema",
}
PRICES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
# The name of a price, with how it ends where a request reads more tokens than that.
TIER = re.compile(r"input_cost_per_token(_above_(\d+)k_tokens)")


def described(settings: ProviderSettings, models: Iterable[KnownModel]) -> list[KnownModel]:
    """The models with what is known of them at that service; what is known already, or of none, stays as it is.

    Those known to do something else than to converse are left out.
    """
    entries = _entries(settings)
    return [
        _completed(model, entry)
        for model in models
        if (entry := entries.get(model.upstream_name)) is None or entry.get("mode") in CONVERSING
    ]


def known_model(upstream_name: str) -> KnownModel:
    """The catalogue's, or one of which the name is all that is known."""
    found = (model for account in catalogue.ACCOUNTS for model in account.models)
    same = (model for model in found if model.upstream_name == upstream_name)
    return next(same, KnownModel(upstream_name, upstream_name))


def _entries(settings: ProviderSettings) -> dict[str, dict[str, Any]]:
    """The map's part on that service, by the names its API uses."""
    service = service_of(settings)
    if service is None or service.facts is None:
        return {}
    return _part(service.facts, PLAIN.get(service.name, ("",)))


def listed_prices(settings: ProviderSettings, upstream_name: str) -> Mapping[str, Any] | None:
    """What the model costs at that service, as `Model.prices` says it; None: unknown. Cheap: read once."""
    service = service_of(settings)
    if service is None or service.facts is None:
        return None
    return _priced_part(service.facts, PLAIN.get(service.name, ("",))).get(upstream_name)


@functools.cache
def _priced_part(facts: str, vendors: tuple[str, ...]) -> Mapping[str, Mapping[str, Any]]:
    return {name: prices for name, entry in _part(facts, vendors).items() if (prices := _prices(entry))}


def _part(facts: str, vendors: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix(facts): entry
        for name, entry in _map().items()
        if name.startswith(facts) and entry.get("litellm_provider", "").startswith(vendors)
    }


def _map() -> dict[str, dict[str, Any]]:
    package = importlib.util.find_spec("litellm")  # finds it without importing it
    if package is None or package.origin is None:
        return {}
    found: dict[str, dict[str, Any]] = json.loads((Path(package.origin).parent / MAP).read_bytes())
    return found


def _completed(model: KnownModel, entry: Mapping[str, Any] | None) -> KnownModel:
    if entry is None:
        return model
    abilities = " ".join(name for name, mark in ABILITIES.items() if entry.get(mark) is True)
    return replace(
        model,
        context_window=model.context_window or _size(entry.get("max_input_tokens")),
        max_output=model.max_output or _size(entry.get("max_output_tokens")),
        supports=model.supports or abilities,
        prices=model.prices or _prices(entry),
    )


def _size(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _prices(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """As `Model.prices` has them. None unless both directions have one; two zeros are the map's way to say nothing."""
    found = _amounts(entry)
    if not {"input", "output"} <= found.keys() or found["input"] + found["output"] == 0:
        return None
    tiers = [tier for field in entry if (tier := TIER.fullmatch(field))]
    above = [{"tokens": int(tier[2]) * 1000, **_amounts(entry, tier[1])} for tier in tiers]
    return {"currency": "USD", **found, **({"above": above} if above else {})}


def _amounts(entry: Mapping[str, Any], tier: str = "") -> dict[str, float]:
    """Per million tokens."""
    costs = {name: entry.get(f"{field}{tier}") for name, field in PRICES.items()}
    return {
        name: float(f"{cost * 1_000_000:.6g}")
        for name, cost in costs.items()
        if isinstance(cost, int | float) and cost >= 0
    }
