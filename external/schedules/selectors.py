"""Reads of schedules."""

import uuid

from chatcore.accounts.principals import Principal
from chatcore.errors import NotFound
from external.models.schedules import Schedule, ScheduleQuerySet

READ = "schedules:read"


def schedules_of(principal: Principal) -> ScheduleQuerySet:
    """The workspace's; to a key those of its integration."""
    principal.require(READ)
    rows: ScheduleQuerySet = Schedule.objects.for_principal(principal)
    return rows


def find_schedule(principal: Principal, schedule_id: uuid.UUID) -> Schedule:
    found: Schedule | None = schedules_of(principal).filter(pk=schedule_id).first()
    if found is None:
        raise NotFound
    return found
