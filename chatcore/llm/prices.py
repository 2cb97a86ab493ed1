"""What a call costs: the prices staff entered, or those that LiteLLM's wheel brings along as a file.

As JSON, for a million tokens: `{"currency": "USD", "input": 1.25, "output": 10, "cached": 0.1, "cache_write": 1.5,
"above": [{"tokens": 200000, "input": 2.5, "output": 15}]}`. `above` is what a whole request costs whose input has more
than that many tokens; what it does not name stays as it is below.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from chatcore.llm import model_facts
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import Usage as Counts

MILLION = 1_000_000
DEAREST = 10**9
NEEDED = ("input", "output")
CACHE_PRICES = ("cached", "cache_write")
AMOUNTS = (*NEEDED, *CACHE_PRICES)
NAMES = frozenset({"currency", *AMOUNTS, "above"})
SMALLEST = Decimal("1e-10")  # what the ledger holds of one
READ_SHARE = 3  # tokens read for each one written, where prices are compared


@dataclass(frozen=True)
class Price:
    """In units of `currency` per million tokens. `cached` and `cache_write` None: these tokens cost what others do.

    `tiers` are (tokens, the price of a request that reads more than them), the lowest first.
    """

    currency: str
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    source: str = "model"
    tiers: "tuple[tuple[int, Price], ...]" = ()

    def at(self, input_tokens: int) -> "Price":
        """What a request costs that reads so many tokens."""
        reached = [price for tokens, price in self.tiers if input_tokens > tokens]
        return reached[-1] if reached else self

    def cost(self, counts: Counts) -> Decimal | None:
        """None where a count is unknown.

        What was read from a cache or written into one is part of the input, reasoning is part of the output.
        """
        if counts.input_tokens is None or counts.output_tokens is None:
            return None
        price = self.at(counts.input_tokens)
        cached = min(counts.cached_tokens or 0, counts.input_tokens)
        written = min(counts.cache_write_tokens or 0, counts.input_tokens - cached)
        whole = (counts.input_tokens - cached - written) * price.input
        whole += cached * (price.input if price.cached is None else price.cached)
        whole += written * (price.input if price.cache_write is None else price.cache_write)
        cost = (whole + counts.output_tokens * price.output) / MILLION
        return cost.quantize(SMALLEST)

    def blended(self, input_tokens: int) -> Decimal:
        """Of a million tokens of such requests, three read for each one written: to compare prices."""
        price = self.at(input_tokens)
        return (READ_SHARE * price.input + price.output) / (READ_SHARE + 1)

    def snapshot(self) -> dict[str, Any]:
        """As the ledger keeps it; numbers as text, so that none is rounded."""
        above = [{"tokens": tokens, **price._amounts()} for tokens, price in self.tiers]
        named = {"currency": self.currency, **self._amounts(), "source": self.source}
        return named | {"above": above} if above else named

    def _amounts(self) -> dict[str, str]:
        known = {name: getattr(self, name) for name in AMOUNTS}
        return {name: f"{amount:f}" for name, amount in known.items() if amount is not None}


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
    try:
        return _parsed(prices) if prices else None
    except ValueError:
        return None


def problem_with(prices: Any) -> str:
    """Why these cannot be a model's prices, in words; "": they can."""
    try:
        _parsed(prices)
    except ValueError as error:
        return str(error)
    unknown = [str(name) for name in prices if name not in NAMES]
    return (
        f"Not a price: {', '.join(sorted(unknown))}. There are {', '.join(sorted(NAMES))}." if unknown else ""
    )


def _parsed(prices: Any) -> Price:
    if not isinstance(prices, dict):
        raise ValueError('Prices are an object: {"input": 1.25, "output": 10}.')
    missing = [name for name in NEEDED if prices.get(name) is None]
    if missing:
        raise ValueError(f"Prices need both input and output: {' and '.join(missing)} is missing.")
    currency = str(prices.get("currency") or "USD").upper()
    if len(currency) != 3 or not currency.isalpha():
        raise ValueError("currency must be three letters, such as USD.")
    return replace(_price(currency, prices), tiers=tuple(_tiers(currency, prices)))


def _price(currency: str, prices: Mapping[str, Any]) -> Price:
    amounts = {name: _amount(name, prices[name]) for name in AMOUNTS if prices.get(name) is not None}
    return Price(
        currency, amounts["input"], amounts["output"], amounts.get("cached"), amounts.get("cache_write")
    )


def _tiers(currency: str, prices: Mapping[str, Any]) -> Iterator[tuple[int, Price]]:
    above = prices.get("above") or []
    if not isinstance(above, list) or not all(isinstance(tier, dict) for tier in above):
        raise ValueError('above must be a list of objects: [{"tokens": 200000, "input": 2.5, "output": 15}].')
    below = {name: prices.get(name) for name in AMOUNTS}
    limits = [tier.get("tokens") for tier in above]
    if not all(type(tokens) is int and tokens > 0 for tokens in limits) or len({*limits}) < len(limits):
        raise ValueError("Each price in above needs its own tokens: a whole number, 1 or more.")
    for tier in sorted(above, key=lambda each: int(each["tokens"])):
        if unknown := tier.keys() - {"tokens", *AMOUNTS}:
            raise ValueError(f"Not a price in above: {', '.join(sorted(unknown))}.")
        below |= {name: tier[name] for name in AMOUNTS if tier.get(name) is not None}
        yield tier["tokens"], _price(currency, below)


def _amount(name: str, raw: Any) -> Decimal:
    try:
        amount = Decimal(str(raw))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < DEAREST:
        raise ValueError(f"{name} must be a number from 0 to a thousand million, for a million tokens.")
    return amount
