"""The resource of preferences: which of several models' replies were chosen, as pages and as a file."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar

from django.db.models import F
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan
from django.http import HttpResponseBase
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from chatcore.pagination import refused
from chatcore.usage.exports import csv_response
from chatcore.viewsets import PrincipalViewSet
from conversations.models import Comparison
from conversations.querysets import ComparisonQuerySet
from conversations.resources import ComparisonResource
from conversations.texts import checked_model_name

BATCH = 1_000  # rows of a CSV file read at once
COLUMNS = tuple(ComparisonResource.model_fields)
MOMENT = "A day (UTC) or a time (RFC 3339)"
FILTERS = [
    OpenApiParameter(
        "model", OpenApiTypes.STR, description="Only those in which the model of this name replied."
    ),
    OpenApiParameter("from", OpenApiTypes.STR, description=f"Chosen then or later. {MOMENT}."),
    OpenApiParameter("to", OpenApiTypes.STR, description=f"Chosen before then, or on that day. {MOMENT}."),
    OpenApiParameter(
        "format", OpenApiTypes.STR, enum=["json", "csv"], description="csv: all of them as a file."
    ),
]
CSV: Any = (200, "text/csv")


class ComparisonViewSet(PrincipalViewSet):
    """What people preferred."""

    queryset = Comparison.objects.none()
    keyset: ClassVar = ("chosen_at", "id")

    @extend_schema(
        operation_id="list_comparisons",
        summary="List what was preferred",
        parameters=FILTERS,
        responses={(200, "application/json"): ComparisonResource, CSV: OpenApiTypes.STR},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """In the conversations you read, the newest choice first. Comparisons without a choice are not in it."""
        self.principal.require_any("messages:read")
        found = _filtered(Comparison.objects.for_principal(self.principal).chosen(), request)
        if _wants_csv(request):
            return csv_response(request._request, "comparisons.csv", COLUMNS, _batches(found))
        return self.page(found.select_related("message", "chosen"), ComparisonResource.of)


def _filtered(found: ComparisonQuerySet, request: Request) -> ComparisonQuerySet:
    if model := request.query_params.get("model"):
        found = found.filter(model_names__contains=[checked_model_name(model)])
    if begin := _moment(request, "from"):
        found = found.filter(chosen_at__gte=begin)
    if end := _moment(request, "to"):
        found = found.filter(chosen_at__lt=end)
    return found


def _batches(found: ComparisonQuerySet) -> Iterator[list[list[Any]]]:
    """The preferences as rows of cells, each batch a query of its own."""
    ordered = found.select_related("message", "chosen").order_by("-chosen_at", "-id")
    rows = list(ordered[:BATCH])
    while rows:
        yield [_cells(ComparisonResource.of(row)) for row in rows]
        last = (rows[-1].chosen_at, rows[-1].pk)
        rows = list(ordered.filter(TupleLessThan(Tuple(F("chosen_at"), F("id")), last))[:BATCH])


def _cells(row: ComparisonResource) -> list[Any]:
    shown = row.model_dump() | {"models": ", ".join(row.models), "chosen_at": row.chosen_at.isoformat()}
    return [shown[name] for name in COLUMNS]


def _wants_csv(request: Request) -> bool:
    named = request.query_params.get("format")
    if named not in (None, "json", "csv"):
        raise refused("format", "must be json or csv")
    return named == "csv" or (named is None and "text/csv" in request.headers.get("Accept", ""))


def _moment(request: Request, name: str) -> datetime | None:
    """A time, or the beginning of a day; for `to` its end."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        if day := parse_date(text):
            return datetime.combine(day, time(), UTC) + timedelta(days=name == "to")
        moment = parse_datetime(text.replace(" ", "+"))  # a plus that is not written as %2B is a space
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refused(name, "must be a day such as 2026-11-22, or a time with its zone (RFC 3339)")
    return moment
