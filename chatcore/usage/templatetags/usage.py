"""What the templates of usage ask for: amounts in words, links to the same page with something else chosen."""

from decimal import Decimal

from django import template

from chatcore.usage import overview
from chatcore.usage.overview import Wish
from chatcore.usage.summaries import Sums

register = template.Library()
THOUSANDS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


@register.simple_tag
def elsewhere(wish: Wish, **changes: str) -> str:
    return wish.link(**changes)


@register.filter
def short(count: int | Decimal) -> str:
    """1,234 as it is; from ten thousand on 12.3 k, 4.56 M."""
    if count < 10_000:
        return f"{count:,.0f}" if count == int(count) else f"{count:,.2f}"
    for size, letter in THOUSANDS:
        if count >= size:
            return f"{count / size:.3g} {letter}" if count / size < 1000 else f"{count / size:,.0f} {letter}"
    return f"{count:,.0f}"


@register.filter
def costs(sums: Sums) -> str:
    """“1.20 USD + 0.50 EUR”; a dash where no cost is known."""
    known = [overview.money(amount, currency) for currency, amount in sorted(sums.cost.items())]
    if known:
        return " + ".join(known)
    return "–" if sums.unknown_cost_calls else overview.money(Decimal(), "USD")


@register.filter
def scale(amount: Decimal, wish: Wish) -> str:
    """A number beside the chart."""
    if wish.measure != "cost":
        return short(amount)
    text = f"{amount:,.6f}".rstrip("0")
    return text + "0" * max(0, 2 - len(text.partition(".")[2]))
