"""Schedules of the tests, run by a clock that the tests hold."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chatcore.accounts.principals import Principal
from conversations.models import Message
from external.models import Schedule, ScheduleRun
from external.schedules import actions, running
from tests.factories import make_key_principal

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday


def make_schedule(owner: Principal, *, now: datetime = NINE - timedelta(hours=1), **fields: Any) -> Schedule:
    """Daily at nine (UTC) unless the fields say otherwise; made by the clock's `now`."""
    integration = fields.pop("integration", None) or make_key_principal(owner, "*:*").integration
    wishes = {"name": "Morning", "content": "Good morning.", "cron": "0 9 * * *", "respond": "none"} | fields
    schedule = Schedule(workspace=owner.workspace, integration=integration, created_by=owner.author, **wishes)
    return actions.save_schedule(schedule, timing_changed=True, now=now)


def run_at(now: datetime) -> list[str]:
    """What is posted at that time."""
    before = set(Message.objects.values_list("id", flat=True))
    running.run_due(now)
    return list(Message.objects.exclude(id__in=before).order_by("id").values_list("text", flat=True))


def runs(schedule: Schedule) -> list[tuple[datetime, str, int]]:
    found = ScheduleRun.objects.filter(schedule=schedule).order_by("due_at")
    return [(run.due_at, run.outcome, run.missed) for run in found]


def due(schedule: Schedule) -> datetime | None:
    schedule.refresh_from_db()
    return schedule.next_run_at
