"""What is due is posted: once, however many workers look."""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from chatcore.errors import ChatcoreError
from chatcore.security.limits import charge
from external.intake import Accepted, IntakeItem, Respond, UserSelector, accept_one
from external.integrations import principal_of_integration
from external.models.schedules import Schedule, ScheduleRun
from external.schedules import clock, template

logger = logging.getLogger(__name__)

BATCH = 50
LATE = timedelta(
    minutes=1
)  # workers look every few seconds: what is older than this was missed by all of them
MOST_COUNTED = 100
KEPT = timedelta(days=90)


def run_due(now: datetime) -> int:
    """Run up to a batch of what is due, the longest overdue first; returns how many schedules were."""
    due = Schedule.objects.filter(next_run_at__lte=now).order_by("next_run_at", "id")
    found = list(due.values_list("pk", "next_run_at")[:BATCH])
    for schedule_id, due_at in found:
        try:
            run(schedule_id, due_at, now)
        except Exception:
            logger.exception("schedule %s could not be run and stays due", schedule_id)
    return len(found)


@transaction.atomic
def run(schedule_id: uuid.UUID, due_at: datetime, now: datetime) -> ScheduleRun | None:
    """Run a schedule that was due at that time; None where another worker did. A post and its record are one commit."""
    if not Schedule.objects.filter(pk=schedule_id, next_run_at=due_at).update(next_run_at=None):
        return None
    schedule = Schedule.objects.select_related("integration__workspace", "integration__acts_as").get(
        pk=schedule_id
    )
    last, missed = due_at, 0
    if schedule.cron:
        last = clock.newest(schedule.cron, schedule.time_zone, due_at, now)
        counted = (schedule.cron, schedule.time_zone, due_at, last)
        missed = clock.count_missed(*counted, most=MOST_COUNTED)
        following = clock.following(schedule.cron, schedule.time_zone, last)
        Schedule.objects.filter(pk=schedule_id).update(next_run_at=following)
    is_skipped = schedule.missed == Schedule.Missed.SKIP and now - last > LATE
    outcome = {"outcome": ScheduleRun.Outcome.SKIPPED} if is_skipped else _post(schedule, last)
    return ScheduleRun.objects.create(schedule=schedule, due_at=last, ran_at=now, missed=missed, **outcome)


def forget_runs(now: datetime) -> int:
    """Delete the records of long ago; returns how many."""
    return ScheduleRun.objects.filter(ran_at__lt=now - KEPT).delete()[0]


def _post(schedule: Schedule, due_at: datetime) -> dict[str, Any]:
    """What the record says of it. A refusal is one; anything else leaves the schedule due."""
    try:
        with transaction.atomic():
            accepted = _accept(schedule, due_at)
    except ChatcoreError as error:
        return {"outcome": ScheduleRun.Outcome.FAILED, "code": error.code, "detail": error.detail[:1_000]}
    return {
        "outcome": ScheduleRun.Outcome.POSTED,
        "conversation": accepted.conversation_id,
        "message": accepted.message.id,
        "reply": accepted.reply.id if accepted.reply else None,
    }


def _accept(schedule: Schedule, due_at: datetime) -> Accepted:
    moment = template.Moment(schedule.name, schedule.time_zone, due_at)
    item = IntakeItem(
        content=template.filled(schedule.content, moment),
        external_id=f"schedule:{schedule.pk}:{due_at:%Y-%m-%dT%H:%M:%SZ}",
        conversation=schedule.conversation,
        thread=schedule.thread or None,
        title=schedule.title,
        user=UserSelector(id=schedule.owner_id) if schedule.owner_id else None,
        respond=_respond(schedule),
        source="schedule",
    )
    principal = principal_of_integration(schedule.integration)
    charge(principal)
    return accept_one(principal, item)


def _respond(schedule: Schedule) -> Respond:
    if schedule.respond == Schedule.Respond.MODEL:
        return Respond("model", schedule.model_name)
    return Respond("none" if schedule.respond == Schedule.Respond.NONE else "default")
