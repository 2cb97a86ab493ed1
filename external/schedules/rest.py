"""Resources of the API: schedules and their runs."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown
from external.models.schedules import Schedule, ScheduleRun
from external.schedules import actions
from external.schedules.resources import (
    NewSchedule,
    ScheduleChanges,
    ScheduleResource,
    ScheduleRunResource,
)
from external.schedules.selectors import find_schedule, schedules_of


class ScheduleViewSet(PrincipalViewSet):
    """Messages that an integration posts by the clock."""

    queryset = Schedule.objects.none()
    keyset: ClassVar = ("id",)

    @extend_schema(operation_id="list_schedules", summary="List schedules", responses=ScheduleResource)
    def list(self, request: Request) -> Response:  # noqa: ARG002
        """The workspace's, the newest first; to a key those of its integration."""
        return self.page(schedules_of(self.principal), ScheduleResource.of)

    @extend_schema(
        operation_id="add_schedule",
        summary="Add a schedule",
        request=NewSchedule,
        responses={201: OpenApiResponse(ScheduleResource, "Added. Location is its address.")},
    )
    def create(self, request: Request) -> Response:
        """What is posted may do what its integration may then. Every time it is due is posted once."""
        added = actions.add_schedule(self.principal, **read_body(NewSchedule, request).wishes())
        return made(ScheduleResource.of(added), "schedules", added.pk)

    @extend_schema(operation_id="read_schedule", summary="Read a schedule", responses=ScheduleResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With the time it is due next."""
        return shown(ScheduleResource.of(find_schedule(self.principal, id)))

    @extend_schema(
        operation_id="change_schedule",
        summary="Change a schedule",
        request=ScheduleChanges,
        responses=ScheduleResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """Switched on again, it is due from now on: what passed meanwhile was not missed."""
        wishes = read_body(ScheduleChanges, request).wishes()
        return shown(ScheduleResource.of(actions.change_schedule(self.principal, id, **wishes)))

    @extend_schema(operation_id="remove_schedule", summary="Remove a schedule", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With the record of its runs. What it has posted stays."""
        actions.remove_schedule(self.principal, id)
        return Response(status=204)


class ScheduleRunViewSet(PrincipalViewSet):
    """What became of a schedule's times."""

    queryset = ScheduleRun.objects.none()
    keyset: ClassVar = ("due_at", "id")

    @extend_schema(
        operation_id="list_schedule_runs",
        summary="List a schedule's runs",
        responses=ScheduleRunResource,
        tags=["schedules"],
    )
    def list(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Of the last 90 days, the newest first."""
        schedule = find_schedule(self.principal, id)
        return self.page(ScheduleRun.objects.filter(schedule=schedule), ScheduleRunResource.of)
