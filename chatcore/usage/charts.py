"""Charts as plain numbers for SVG: bars by day under a round upper bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

STEP = 10  # width of one day in the drawing's own units; its height is 100
ROUND = tuple(Decimal(step) for step in ("1", "1.5", "2", "3", "4", "5", "6", "8", "10"))


@dataclass(frozen=True)
class Bar:
    """`x`, `y`, `width` and `height` in the drawing's units, as SVG takes them; `words` are told of it."""

    x: str
    y: str
    width: str
    height: str
    words: str


@dataclass(frozen=True)
class Chart:
    """Bars from left to right; `top` is what a bar of full height stands for, `middle` one of half of it."""

    width: int
    bars: Sequence[Bar]
    top: Decimal
    middle: Decimal


def draw(values: Sequence[Decimal], words: Sequence[str]) -> Chart:
    top = round_up(max(values, default=Decimal()))
    thick = Decimal("6.4") if len(values) > 12 else Decimal("4.4")
    bars = []
    for place, (value, said) in enumerate(zip(values, words, strict=True)):
        # What is more than nothing is seen.
        height = max(value / top * 100, Decimal("0.8")) if value else Decimal()
        x = place * STEP + (STEP - thick) / 2
        bars.append(Bar(f"{x:.1f}", f"{100 - height:.2f}", f"{thick}", f"{height:.2f}", said))
    return Chart(max(len(values), 1) * STEP, bars, top, top / 2)


def round_up(value: Decimal) -> Decimal:
    """The next number that is 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten; 1 for nothing."""
    if value <= 0:
        return Decimal(1)
    power = Decimal(10) ** (value.adjusted())
    return next(step * power for step in ROUND if step * power >= value)


def share(value: Decimal, whole: Decimal) -> int:
    """In whole percent; what is more than nothing is one at least."""
    return int((value * 100 / whole).to_integral_value(ROUND_CEILING)) if whole else 0
