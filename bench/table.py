"""The figures as a table of plain text."""

from collections.abc import Iterable

from bench.figure import Figure

HEADINGS = ("Figure", "Value", "Baseline", "Ratio", "Goal", "Met")
MET = {True: "yes", False: "NO", None: ""}


def table(figures: Iterable[Figure]) -> str:
    rows = [HEADINGS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(
            _aligned(cell, width, column)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _row(figure: Figure) -> tuple[str, ...]:
    baseline = "" if figure.baseline is None else f"{_short(figure.baseline)} {figure.unit}"
    ratio = "" if figure.ratio is None else f"{_short(figure.ratio)} x"
    return (
        figure.name,
        f"{_short(figure.value)} {figure.unit}",
        baseline,
        ratio,
        figure.goal,
        MET[figure.met],
    )


def _short(number: float) -> str:
    """Three digits that count."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if 1 <= column <= 3 else cell.ljust(width)
