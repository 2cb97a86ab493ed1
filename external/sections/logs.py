"""Logs on pages: the newest rows, and where the older ones go on."""

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

PAGE = 50
Row = TypeVar("Row", bound=Model)


def page_of(rows: "QuerySet[Row]", before: str) -> tuple[list[Row], Any]:
    """The newest before the one with that id, and the id that the next page goes on from; None where it is the last."""
    try:
        place = rows.model._meta.pk.to_python(before) if before else None
    except ValidationError:
        place = None
    found = rows.order_by("-pk")
    if place is not None:
        found = found.filter(pk__lt=place)
    page = list(found[: PAGE + 1])
    return page[:PAGE], page[PAGE - 1].pk if len(page) > PAGE else None
