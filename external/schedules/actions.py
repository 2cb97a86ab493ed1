"""Writes of schedules: each is checked as its message will be, then told when it is due."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from chatcore.accounts.models import Integration, User
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid, NotFound
from chatcore.problems import invalid, pointer_to
from chatcore.texts import checked_text, refused
from conversations.actions.access import find_model
from conversations.texts import checked_text as checked_content
from conversations.texts import checked_title
from external.integrations import principal_of_integration
from external.models.schedules import ALL_INTEGRATIONS, Schedule
from external.resolving import Selectors, UserSelector, resolve
from external.schedules import clock, template

WRITE = "schedules:write"
TIMING = frozenset({"cron", "at", "time_zone", "enabled"})


@transaction.atomic
def add_schedule(principal: Principal, *, integration: uuid.UUID | None = None, **fields: Any) -> Schedule:
    """A new schedule of an integration of the workspace: of a key its own, which need not be named."""
    principal.require(WRITE)
    schedule = Schedule(
        workspace=principal.workspace,
        integration=_find_integration(principal, integration),
        created_by=principal.author,
    )
    return save_schedule(_with(schedule, fields), timing_changed=True)


@transaction.atomic
def change_schedule(principal: Principal, schedule_id: uuid.UUID, **changes: Any) -> Schedule:
    """What is not named stays. New times count from now on."""
    schedule = _find(principal, schedule_id)
    if changes.get("cron"):
        changes = {"at": None} | changes
    elif changes.get("at"):
        changes = {"cron": ""} | changes
    return save_schedule(_with(schedule, changes), timing_changed=bool(TIMING & changes.keys()))


@transaction.atomic
def remove_schedule(principal: Principal, schedule_id: uuid.UUID) -> None:
    """With the record of its runs. What it has posted stays."""
    _find(principal, schedule_id).delete()


def save_schedule(schedule: Schedule, *, timing_changed: bool, now: datetime | None = None) -> Schedule:
    """Check and store it; where its times have changed, they count from `now`. Raises what `check_schedule` does."""
    now = now or timezone.now()
    check_schedule(schedule, now if timing_changed else None)
    if timing_changed:
        schedule.next_run_at = _next(schedule, now)
    schedule.save()
    return schedule


def check_schedule(schedule: Schedule, now: datetime | None) -> None:
    """Raises Invalid, and whatever its message would be refused with. `now` is given if its times are new."""
    _check_texts(schedule)
    _check_times(schedule, now)
    _check_posting(schedule)


def _with(schedule: Schedule, fields: dict[str, Any]) -> Schedule:
    """The fields as the API names them: `owner` by id; None empties a text."""
    for name, value in fields.items():
        if name == "owner":
            schedule.owner = _find_member(schedule, value) if value else None
        elif value is None and name in ("title", "thread", "cron", "model_name"):
            setattr(schedule, name, "")
        else:
            setattr(schedule, name, value)
    return schedule


def _check_texts(schedule: Schedule) -> None:
    schedule.name = checked_text(schedule.name, "/name", limit=100).strip()
    checked_content(schedule.content)
    template.check(schedule.content)
    schedule.title = checked_title(schedule.title) if schedule.title else ""
    checked_text(schedule.thread, "/conversation/thread", limit=200, required=False)
    if schedule.respond == Schedule.Respond.MODEL:
        checked_text(schedule.model_name, "/respond/model")


def _check_times(schedule: Schedule, now: datetime | None) -> None:
    schedule.time_zone = clock.checked_zone(schedule.time_zone)
    if bool(schedule.cron) == bool(schedule.at):
        raise refused("/cron", "or `at` must be given, and not both", "contradiction")
    if schedule.cron:
        schedule.cron = clock.checked_cron(schedule.cron)
    elif schedule.at and not 2000 <= schedule.at.year < 9000:
        raise refused("/at", "must be a time of our days", "range")
    elif now and schedule.enabled and schedule.at and schedule.at <= now:
        raise refused("/at", "must be in the future", "past")


def _check_posting(schedule: Schedule) -> None:
    """Whether its integration may post so now. It is checked again with every run."""
    principal = principal_of_integration(schedule.integration)
    owner = UserSelector(id=schedule.owner_id) if schedule.owner_id else None
    acting = resolve(principal, Selectors(user=owner, conversation=schedule.conversation)).principal
    if schedule.respond == Schedule.Respond.MODEL:
        find_model(acting, schedule.model_name, pointer="/respond/model")


def _next(schedule: Schedule, now: datetime) -> datetime | None:
    if not schedule.enabled:
        return None
    return clock.following(schedule.cron, schedule.time_zone, now) if schedule.cron else schedule.at


def _find(principal: Principal, schedule_id: uuid.UUID) -> Schedule:
    principal.require(WRITE)
    rows = Schedule.objects.for_principal(principal).select_related("integration__workspace", "owner")
    found: Schedule | None = rows.select_for_update(of=("self",)).filter(pk=schedule_id).first()
    if found is None:
        raise NotFound
    return found


def _find_integration(principal: Principal, integration_id: uuid.UUID | None) -> Integration:
    own = principal.integration
    if own is not None and integration_id in (None, own.pk):
        return own
    if integration_id is None:
        raise refused("/integration", "must be named: it is the author of what is posted", "required")
    rows = Integration.objects.filter(workspace=principal.workspace, pk=integration_id)
    found = rows.first() if own is None or principal.may(ALL_INTEGRATIONS) else None
    if found is None:
        raise _unknown("integration")
    return found


def _find_member(schedule: Schedule, user_id: uuid.UUID) -> User:
    found = User.objects.filter(memberships__workspace=schedule.workspace_id, pk=user_id).first()
    if found is None:
        raise _unknown("owner")
    return found


def _unknown(name: str) -> Invalid:
    return invalid([FieldProblem(pointer_to(name), f"There is no such {name} here.", "unknown")])
