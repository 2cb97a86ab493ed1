"""What a benchmark reports: one measured figure, the baseline beside it, and whether it meets its goal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`ratio` is value to baseline. `met` is None where no goal is set and the figure only informs."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    goal: str
    met: bool | None
