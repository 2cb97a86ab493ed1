"""The resource of preferences: which of several models' replies were chosen, as pages and as a file."""

from typing import Any, ClassVar

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from chatcore.exports import csv_response, newest_first
from chatcore.query_parameters import CSV, FORMAT, moment, wants_csv
from chatcore.viewsets import PrincipalViewSet
from conversations.models import Comparison
from conversations.querysets import ComparisonQuerySet
from conversations.resources import ComparisonResource
from conversations.texts import checked_model_name

COLUMNS = tuple(ComparisonResource.model_fields)
MOMENT = "A day (UTC) or a time (RFC 3339)"
FILTERS = [
    OpenApiParameter(
        "model", OpenApiTypes.STR, description="Only those in which the model of this name replied."
    ),
    OpenApiParameter("from", OpenApiTypes.STR, description=f"Chosen then or later. {MOMENT}."),
    OpenApiParameter("to", OpenApiTypes.STR, description=f"Chosen before then, or on that day. {MOMENT}."),
    FORMAT,
]


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
        found = found.select_related("message", "chosen")
        if wants_csv(request):
            return csv_response(
                request._request, "comparisons.csv", COLUMNS, newest_first(found, "chosen_at", _cells)
            )
        return self.page(found, ComparisonResource.of)


def _filtered(found: ComparisonQuerySet, request: Request) -> ComparisonQuerySet:
    if model := request.query_params.get("model"):
        found = found.filter(model_names__contains=[checked_model_name(model)])
    if begin := moment(request, "from"):
        found = found.filter(chosen_at__gte=begin)
    if end := moment(request, "to"):
        found = found.filter(chosen_at__lt=end)
    return found


def _cells(row: Comparison) -> list[Any]:
    of = ComparisonResource.of(row)
    shown = of.model_dump() | {"models": ", ".join(of.models), "chosen_at": of.chosen_at.isoformat()}
    return [shown[name] for name in COLUMNS]
