"""Pages of schedules: each with what it posts, when it is due next, and its runs."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet

from chatcore.accounts.principals import Principal
from chatcore.accounts.web import PrincipalRequest
from conversations.models import Conversation
from external.models import Schedule
from external.schedules import actions
from external.schedules.forms import ScheduleForm
from external.schedules.selectors import find_schedule, schedules_of
from external.sections.logs import page_of
from external.sections.section import Section


class Schedules(Section[Schedule]):
    name: ClassVar = "schedule"
    plural: ClassVar = "schedules"
    MANAGE: ClassVar = actions.WRITE

    def rows(self, principal: Principal) -> "QuerySet[Schedule]":
        return schedules_of(principal).select_related("integration").order_by("name", "id")

    def find(self, principal: Principal, row_id: uuid.UUID) -> Schedule:
        return find_schedule(principal, row_id)

    def form(self, principal: Principal, kind: str, row: Schedule | None, data: Any) -> ScheduleForm:  # noqa: ARG002
        return ScheduleForm(principal, row, data)

    def add(self, principal: Principal, **fields: Any) -> Schedule:
        return actions.add_schedule(principal, **fields)

    def change(self, principal: Principal, row_id: uuid.UUID, **fields: Any) -> Schedule:
        return actions.change_schedule(principal, row_id, **fields)

    def remove(self, principal: Principal, row_id: uuid.UUID) -> None:
        actions.remove_schedule(principal, row_id)

    def shown(self, request: PrincipalRequest, row: Schedule) -> Mapping[str, Any]:
        runs, older = page_of(row.runs.all(), request.GET.get("before", ""))
        named = [run.conversation for run in runs] + [row.conversation]
        own = Conversation.objects.for_principal(request.principal).filter(id__in=filter(None, named))
        return {"runs": runs, "older": older, "readable": set(own.values_list("id", flat=True))}


SCHEDULES = Schedules()
