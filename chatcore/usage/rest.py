"""Resources of the API: the ledger, its sums, and budgets."""

import uuid
from typing import Any, ClassVar, cast, get_args

from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.errors import NotFound
from chatcore.exports import csv_response, newest_first
from chatcore.pagination import refused
from chatcore.query_parameters import CSV, FORMAT, day, identity, moment, wants_csv
from chatcore.usage import actions, counters
from chatcore.usage.models import Budget, Usage
from chatcore.usage.querysets import UsageQuerySet
from chatcore.usage.resources import (
    BudgetChanges,
    BudgetResource,
    NewBudget,
    SumsResource,
    UsageResource,
    UsageSummaryResource,
)
from chatcore.usage.summaries import By, summarise, total_of
from chatcore.viewsets import GONE, PrincipalViewSet

LEDGER_COLUMNS = tuple(name for name in UsageResource.model_fields if name != "prices")
SUMS_COLUMNS = tuple(name for name in SumsResource.model_fields if name != "cost")


def _day(name: str, words: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=words)


FROM = _day("from", "The first day (UTC), or for the ledger a time (RFC 3339).")
TO = _day("to", "The last day (UTC), or for the ledger a time before which they ended.")
FILTERS = [
    FROM,
    TO,
    OpenApiParameter("user", OpenApiTypes.UUID, description="Only in this user's name."),
    OpenApiParameter("integration", OpenApiTypes.UUID, description="Only by this integration."),
    OpenApiParameter("model", OpenApiTypes.STR, description="Only by the model of this name."),
    OpenApiParameter("conversation", OpenApiTypes.UUID, description="Only in this conversation."),
    FORMAT,
]
BY = OpenApiParameter(
    "by", OpenApiTypes.STR, enum=list(get_args(By)), default="day", description="What one sum is of."
)


class UsageViewSet(PrincipalViewSet):
    """What models were used for."""

    queryset = Usage.objects.none()
    keyset: ClassVar = ("created_at", "id")

    @extend_schema(
        operation_id="list_usage",
        summary="List what was used",
        parameters=FILTERS,
        responses={(200, "application/json"): UsageResource, CSV: OpenApiTypes.STR},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """One row for each call of a model, the newest first. Owners and admins see all, others theirs."""
        self.principal.require("usage:read")
        found = _filtered(Usage.objects.for_principal(self.principal), request)
        if wants_csv(request):
            return csv_response(
                _django(request), "usage.csv", LEDGER_COLUMNS, newest_first(found, "created_at", _cells)
            )
        return self.page(found, UsageResource.of)

    @extend_schema(
        operation_id="summarise_usage",
        summary="Sum up what was used",
        parameters=[BY, FROM, TO, FORMAT],
        responses={(200, "application/json"): UsageSummaryResource, CSV: OpenApiTypes.STR},
    )
    def summary(self, request: Request) -> HttpResponseBase:
        """By day, user, model or integration. Today is in it."""
        self.principal.require("usage:read")
        by = request.query_params.get("by", "day")
        if by not in get_args(By):
            raise refused("by", f"must be one of {', '.join(get_args(By))}")
        days = (day(request, "from"), day(request, "to"))
        rows = summarise(self.principal, cast(By, by), *days)
        results = [SumsResource.of(row) for row in rows]
        if wants_csv(request):
            return _sums_as_csv(request, by, results)
        total = SumsResource.of(total_of(rows))
        whole = UsageSummaryResource(by=cast(By, by), results=results, total=total)
        return Response(whole.model_dump(mode="json"))


class BudgetViewSet(PrincipalViewSet):
    """Limits of what may be used in a day or a month."""

    queryset = Budget.objects.none()
    keyset: ClassVar = ("id",)
    newest_first = False

    @extend_schema(operation_id="list_budgets", summary="List budgets", responses=BudgetResource)
    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Each with what is spent of it. Owners and admins see their workspace's, others those of their own."""
        self.principal.require("budgets:read")
        found = self.paginate_queryset(Budget.objects.for_principal(self.principal)) or ()
        standing = counters.current(found)
        rows = [_shown(budget, standing[budget.pk]) for budget in found if budget.pk in standing]
        return self.get_paginated_response(rows)

    @extend_schema(
        operation_id="add_budget",
        summary="Add a budget",
        request=NewBudget,
        responses={201: OpenApiResponse(BudgetResource, "Added. Location is its address.")},
    )
    def create(self, request: Request) -> Response:
        """What was used in its period already counts. Requests over a budget are refused with `budget_exceeded`."""
        self.principal.require("budgets:write")
        fields = actions.find_named(self.principal, read_body(NewBudget, request).given())
        budget = actions.add_budget(self.principal, **fields)
        address = f"/api/v1/budgets/{budget.pk}/"
        return Response(_current(budget), status=201, headers={"Location": address})

    @extend_schema(operation_id="read_budget", summary="Read a budget", responses=BudgetResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With what is spent of it in the period that runs now."""
        self.principal.require("budgets:read")
        budget = Budget.objects.for_principal(self.principal).filter(pk=id).first()
        if budget is None:
            raise NotFound
        return Response(_current(budget))

    @extend_schema(
        operation_id="change_budget",
        summary="Change a budget",
        request=BudgetChanges,
        responses=BudgetResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """Replies that run are not stopped, whatever is changed."""
        self.principal.require("budgets:write")
        changes = actions.find_named(self.principal, read_body(BudgetChanges, request).given())
        return Response(_current(actions.change_budget(self.principal, id, **changes)))

    @extend_schema(operation_id="remove_budget", summary="Remove a budget", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Nothing is limited by it any more. The ledger stays."""
        actions.remove_budget(self.principal, id)
        return Response(status=204)


def _shown(budget: Budget, counter: Any) -> dict[str, Any]:
    return BudgetResource.of(budget, counter).model_dump(mode="json")


def _current(budget: Budget) -> dict[str, Any]:
    counter = counters.current([budget]).get(budget.pk)
    if counter is None:
        raise NotFound
    return _shown(budget, counter)


def _filtered(found: UsageQuerySet, request: Request) -> UsageQuerySet:
    found = found.between(moment(request, "from"), moment(request, "to"))
    for name in ("user", "integration", "conversation"):
        if named := identity(request, name):
            found = found.filter(**{name: named})
    if model := request.query_params.get("model"):
        found = found.filter(model_name=model.replace("\x00", "\ufffd"))
    return found


def _cells(row: Usage) -> list[Any]:
    shown = UsageResource.of(row)
    return [getattr(shown, name) for name in LEDGER_COLUMNS]


def _sums_as_csv(request: Request, by: str, results: list[SumsResource]) -> HttpResponseBase:
    currencies = sorted({currency for row in results for currency in row.cost})
    rows = [
        [getattr(row, name) for name in SUMS_COLUMNS] + [row.cost.get(currency) for currency in currencies]
        for row in results
    ]
    columns = [*SUMS_COLUMNS, *(f"cost_{currency}" for currency in currencies)]
    return csv_response(_django(request), f"usage-by-{by}.csv", columns, [rows])


def _django(request: Request) -> HttpRequest:
    return request._request
