"""What a call costs: the model's own prices, or those that LiteLLM's wheel brings along as a file."""

import functools
import importlib.util
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chatcore.llm.models import Deployment, Model
from chatcore.llm.types import Usage as Counts

log = logging.getLogger(__name__)

MILLION = 1_000_000
DEAREST = 10**9
SMALLEST = Decimal("1e-10")  # what the ledger holds of one
PRICE_FILE = "model_prices_and_context_window_backup.json"

# Addresses whose owners sell what the file prices, by its name for them. A server of somebody's own that calls its
# model `gpt-4.1` does not charge what OpenAI does, so nothing is guessed from a model's name alone.
VENDORS: Mapping[str, str] = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.mistral.ai": "mistral",
    "api.groq.com": "groq",
    "openrouter.ai": "openrouter",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "xai",
    "api.together.xyz": "together_ai",
    "api.perplexity.ai": "perplexity",
    "api.fireworks.ai": "fireworks_ai",
}


@dataclass(frozen=True)
class Price:
    """In units of `currency` per million tokens. `cached` None: cached tokens cost what others do."""

    currency: str
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    source: str = "model"

    def cost(self, counts: Counts) -> Decimal | None:
        """None where a count is unknown. Cached tokens are part of the input, reasoning is part of the output."""
        if counts.input_tokens is None or counts.output_tokens is None:
            return None
        cached = min(counts.cached_tokens or 0, counts.input_tokens)
        cached_price = self.input if self.cached is None else self.cached
        whole = (counts.input_tokens - cached) * self.input + cached * cached_price
        cost = (whole + counts.output_tokens * self.output) / MILLION
        return cost.quantize(SMALLEST)

    def snapshot(self) -> dict[str, str]:
        """As the ledger keeps it; numbers as text, so that none is rounded."""
        named = {"currency": self.currency, "input": f"{self.input:f}", "output": f"{self.output:f}"}
        if self.cached is not None:
            named["cached"] = f"{self.cached:f}"
        return named | {"source": self.source}


def price_of_model(model: Model) -> Price | None:
    """What the model is expected to cost: its own price, or that of the deployment asked first. None: unknown."""
    own = read_prices(model.prices)
    if own:
        return own
    usable = Deployment.objects.usable().defer("provider__credential")
    first = usable.filter(model=model).order_by("priority", "pk").first()
    if first is None:
        return None
    provider = first.provider
    return price_of(None, provider.kind, provider.base_url, provider.options, first.upstream_name)


def price_of(
    prices: Any, kind: str, base_url: str, options: Mapping[str, Any], upstream_name: str
) -> Price | None:
    """What an answer costs: by the model's own `prices`, else by the list of the vendor, where the provider is known
    to be that vendor. None: unknown.
    """
    own = read_prices(prices)
    if own:
        return own
    if kind == "demo":
        return Price("USD", Decimal(0), Decimal(0), source="demo")
    vendor = _vendor(kind, base_url, options)
    if not vendor:
        return None
    for key in (f"{vendor}/{upstream_name}", upstream_name):
        entry = price_list().get(key)
        if entry and (key != upstream_name or entry[0].startswith(vendor)):
            return entry[1]
    return None


def read_prices(prices: Any) -> Price | None:
    """The prices of a model as staff wrote them; None where they are empty or make no sense."""
    if not isinstance(prices, dict):
        return None
    try:
        read = {name: _amount(prices[name]) for name in ("input", "output", "cached") if name in prices}
    except (InvalidOperation, ValueError):
        return None
    currency = str(prices.get("currency", "USD")).upper()
    if "input" not in read or "output" not in read or len(currency) != 3:
        return None
    return Price(currency, read["input"], read["output"], read.get("cached"))


@functools.cache
def price_list() -> Mapping[str, tuple[str, Price]]:
    """Vendor and price by name: read once, where a price is first wanted (0.1 s), without importing LiteLLM."""
    found = importlib.util.find_spec("litellm")
    if found is None or found.origin is None:
        return {}
    try:
        entries = json.loads((Path(found.origin).parent / PRICE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log.warning("LiteLLM's price list cannot be read: %s", error)
        return {}
    return {name: entry for name, raw in entries.items() if (entry := _listed(raw))}


def _listed(raw: Any) -> tuple[str, Price] | None:
    """Entries without both prices, and those that cost by picture or second, say nothing about tokens."""
    if not isinstance(raw, dict) or "input_cost_per_token" not in raw or "output_cost_per_token" not in raw:
        return None
    try:
        each = [_amount(raw[f"{kind}_cost_per_token"]) * MILLION for kind in ("input", "output")]
        cached = raw.get("cache_read_input_token_cost")
        at_hit = None if cached is None else _amount(cached) * MILLION
    except (InvalidOperation, ValueError):
        return None
    return str(raw.get("litellm_provider", "")), Price("USD", each[0], each[1], at_hit, source="litellm")


def _amount(raw: Any) -> Decimal:
    amount = Decimal(str(raw))
    if not amount.is_finite() or not 0 <= amount < DEAREST:
        raise ValueError(raw)
    return amount


def _vendor(kind: str, base_url: str, options: Mapping[str, Any]) -> str:
    if kind == "litellm":
        return "" if base_url else str(options.get("vendor", ""))
    if kind != "openai":
        return ""
    if options.get("api_version"):
        return "azure"
    return VENDORS.get(urlsplit(base_url or "https://api.openai.com/v1").hostname or "", "")
