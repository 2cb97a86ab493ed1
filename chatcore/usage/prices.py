"""What a call costs: the model's own prices, or those that LiteLLM's wheel brings along as a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import QuerySet

from chatcore.llm import model_facts
from chatcore.llm.models import Deployment, Model
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import Usage as Counts

MILLION = 1_000_000
DEAREST = 10**9
CACHE_PRICES = ("cached", "cache_write")
SMALLEST = Decimal("1e-10")  # what the ledger holds of one


@dataclass(frozen=True)
class Price:
    """In units of `currency` per million tokens. `cached` and `cache_write` None: these tokens cost what others do."""

    currency: str
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    source: str = "model"

    def cost(self, counts: Counts) -> Decimal | None:
        """None where a count is unknown.

        What was read from a cache or written into one is part of the input, reasoning is part of the output.
        """
        if counts.input_tokens is None or counts.output_tokens is None:
            return None
        cached = min(counts.cached_tokens or 0, counts.input_tokens)
        written = min(counts.cache_write_tokens or 0, counts.input_tokens - cached)
        whole = (counts.input_tokens - cached - written) * self.input
        whole += cached * (self.input if self.cached is None else self.cached)
        whole += written * (self.input if self.cache_write is None else self.cache_write)
        cost = (whole + counts.output_tokens * self.output) / MILLION
        return cost.quantize(SMALLEST)

    def snapshot(self) -> dict[str, str]:
        """As the ledger keeps it; numbers as text, so that none is rounded."""
        named = {"currency": self.currency, "input": f"{self.input:f}", "output": f"{self.output:f}"}
        for name in CACHE_PRICES:
            if (price := getattr(self, name)) is not None:
                named[name] = f"{price:f}"
        return named | {"source": self.source}


def price_of_model(model: Model) -> Price | None:
    """What the model is expected to cost: what the deployment asked first does. None: unknown."""
    usable = Deployment.objects.usable().defer("provider__credential")
    first = usable.filter(model=model).order_by("priority", "pk").first()
    return _price_at(first) if first else read_prices(model.prices)


def priced(models: QuerySet[Model]) -> list[tuple[Model, Price | None]]:
    """Those of the models that can be asked, each with what it is expected to cost, in one query."""
    usable = Deployment.objects.usable().defer("provider__credential").filter(model__in=models)
    firsts = usable.order_by("model_id", "priority", "pk").distinct("model_id")
    return [(each.model, _price_at(each)) for each in firsts]


def _price_at(deployment: Deployment) -> Price | None:
    own, provider = deployment.prices or deployment.model.prices, deployment.provider
    return price_of(own, provider.kind, provider.base_url, provider.options, deployment.upstream_name)


def price_of(
    prices: Any, kind: str, base_url: str, options: Mapping[str, Any], upstream_name: str
) -> Price | None:
    """What an answer costs: by the deployment's or the model's own `prices`, else by the list of the vendor,
    where the provider is known to be that vendor. None: unknown.
    """
    own = read_prices(prices)
    if own:
        return own
    if kind == "demo":
        return Price("USD", Decimal(0), Decimal(0), source="demo")
    if kind == "litellm" and base_url:  # a server of somebody's own charges what its owner likes
        return None
    listed = read_prices(
        model_facts.listed_prices(ProviderSettings(kind, base_url, "", options), upstream_name)
    )
    return replace(listed, source="litellm") if listed else None


def read_prices(prices: Any) -> Price | None:
    """The prices of a model as staff wrote them; None where they are empty or make no sense."""
    if not isinstance(prices, dict):
        return None
    try:
        read = {name: _amount(prices[name]) for name in ("input", "output", *CACHE_PRICES) if name in prices}
    except (InvalidOperation, ValueError):
        return None
    currency = str(prices.get("currency", "USD")).upper()
    if "input" not in read or "output" not in read or len(currency) != 3:
        return None
    return Price(currency, read["input"], read["output"], read.get("cached"), read.get("cache_write"))


def _amount(raw: Any) -> Decimal:
    amount = Decimal(str(raw))
    if not amount.is_finite() or not 0 <= amount < DEAREST:
        raise ValueError(raw)
    return amount
