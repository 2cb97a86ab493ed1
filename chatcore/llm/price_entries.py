"""What may stand in the fields `prices`: numbers per million tokens, and their currency."""

from decimal import Decimal, InvalidOperation
from typing import Any

DEAREST = 10**9
NEEDED = ("input", "output")
CACHE_PRICES = ("cached", "cache_write")
EXAMPLE = '{"currency": "USD", "input": 1.25, "output": 10}'


def read_amount(raw: Any) -> Decimal:
    """Raises ValueError or InvalidOperation for what is no price."""
    amount = Decimal(str(raw))
    if isinstance(raw, bool) or not amount.is_finite() or not 0 <= amount < DEAREST:
        raise ValueError(raw)
    return amount


def problem_of(prices: Any) -> str:
    """Why nobody could tell a cost from these; "": one can, or nothing is said of the price."""
    if prices is None or prices == {}:
        return ""
    if not isinstance(prices, dict):
        return f"Prices are an object, for example {EXAMPLE}."
    if missing := [name for name in NEEDED if name not in prices]:
        return f"It says nothing of: {', '.join(missing)}. Write for example {EXAMPLE}."
    if unknown := sorted(prices.keys() - {*NEEDED, *CACHE_PRICES, "currency"}):
        return f"Not a price here: {', '.join(unknown)}. There are input, output, cached and cache_write."
    if wrong := [name for name in (*NEEDED, *CACHE_PRICES) if not _is_amount(prices.get(name, 0))]:
        return f"A price is a number, 0 or more. Not so: {', '.join(wrong)}."
    currency = prices.get("currency", "USD")
    is_code = isinstance(currency, str) and len(currency) == 3 and currency.isalpha()
    return "" if is_code else "The currency is three letters, for example USD."


def _is_amount(raw: Any) -> bool:
    try:
        read_amount(raw)
    except (InvalidOperation, ValueError):
        return False
    return True
