"""Tables as CSV (RFC 4180), written while they are read: however long one is, it is never held as a whole."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan
from django.http import HttpRequest, StreamingHttpResponse

from chatcore.offload import offload

BATCH = 1_000  # rows read at once
# What makes a spreadsheet take a text for a formula. An apostrophe before it makes it a text again.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_response(
    request: HttpRequest, filename: str, columns: Sequence[str], batches: Iterable[Iterable[Sequence[Any]]]
) -> StreamingHttpResponse:
    """A file to save. Each batch of rows is read, by a thread of the ORM, when the one before it was sent."""
    lines = _lines(columns, batches)
    content = _offloaded(lines) if isinstance(request, ASGIRequest) else lines
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "no-store"
    return response


def newest_first(
    found: QuerySet[Any], moment: str, cells: Callable[[Any], Sequence[Any]]
) -> Iterator[list[Sequence[Any]]]:
    """Rows of cells in batches, by the column `moment` and the id; each batch is a query of its own."""
    ordered = found.order_by(f"-{moment}", "-id")
    rows = list(ordered[:BATCH])
    while rows:
        yield [cells(row) for row in rows]
        last = (getattr(rows[-1], moment), rows[-1].pk)
        rows = list(ordered.filter(TupleLessThan(Tuple(F(moment), F("id")), last))[:BATCH])


def _lines(columns: Sequence[str], batches: Iterable[Iterable[Sequence[Any]]]) -> Iterator[str]:
    yield _written([columns])
    for batch in batches:
        if text := _written([[_cell(value) for value in row] for row in batch]):
            yield text


async def _offloaded(lines: Iterator[str]) -> AsyncIterator[str]:
    while (text := await offload(next, lines, None)) is not None:
        yield text


def _written(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Unknown is empty, which is not zero."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
