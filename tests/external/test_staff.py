"""Staff pages of identities and schedules."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatcore.accounts.principals import Principal
from external.models import Identity, Schedule, ScheduleRun
from external.schedules import running
from tests.factories import make_key_principal, make_principal, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(email="staff@example.com", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def place(model: type, page: str, *arguments: object) -> str:
    return reverse(f"admin:external_{model.__name__.lower()}_{page}", args=arguments)


def form_errors(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.context["errors"])


def test_a_handle_is_claimed_normalised_and_verified_by_an_action(staff: Client, owner: Principal) -> None:
    form = {
        "workspace": owner.workspace.pk,
        "user": owner.user.pk,
        "channel": "SMS",
        "value": "+43 660 1234567",
    }  # type: ignore[union-attr]
    assert staff.post(place(Identity, "add"), form).status_code == 302
    identity = Identity.objects.get()
    assert (identity.channel, identity.value, identity.is_verified) == ("sms", "+436601234567", False)
    assert "no member" in form_errors(staff.post(place(Identity, "add"), form | {"user": make_user().pk}))
    assert "telephone number" in form_errors(staff.post(place(Identity, "add"), form | {"value": "12345"}))

    action = {"action": "verify", "_selected_action": str(identity.pk)}
    assert staff.post(place(Identity, "changelist"), action).status_code == 302
    identity.refresh_from_db()
    assert identity.is_verified
    assert staff.get(place(Identity, "change", identity.pk)).status_code == 200
    assert staff.get(place(Identity, "changelist"), {"q": "+436601234567"}).status_code == 200


def test_a_schedule_is_made_with_its_next_time_and_told_what_is_wrong(
    staff: Client, owner: Principal
) -> None:
    integration = make_key_principal(owner, "messages:write", "conversations:write").integration
    form = {
        "name": "Morning",
        "integration": integration.pk,  # type: ignore[union-attr]
        "content": "Good morning.",
        "respond": "none",
        "cron": "@daily",
        "time_zone": "Europe/Vienna",
        "missed": "once",
        "enabled": "on",
    }
    assert staff.post(place(Schedule, "add"), form).status_code == 302
    schedule = Schedule.objects.get()
    assert (schedule.workspace, schedule.cron) == (owner.workspace, "0 0 * * *")
    assert schedule.next_run_at
    assert schedule.created_by.startswith("user:")
    for wrong, words in (
        ({"cron": "often"}, "five fields"),
        ({"time_zone": "Mars"}, "time zone"),
        ({"content": "{{colour}}"}, "filled in"),
        ({"cron": ""}, "one instant"),
        ({"thread": "x", "conversation": str(uuid.uuid4())}, "and not both"),
        ({"respond": "model"}, "Name a model"),
        ({"owner": make_principal(workspace=owner.workspace).user.pk}, "users:act_as:any"),  # type: ignore[union-attr]
    ):
        assert words in form_errors(staff.post(place(Schedule, "add"), form | wrong))

    due = schedule.next_run_at
    assert (
        staff.post(
            place(Schedule, "change", schedule.pk), form | {"cron": "0 0 * * *", "name": "Other"}
        ).status_code
        == 302
    )
    schedule.refresh_from_db()
    assert (schedule.name, schedule.next_run_at) == ("Other", due)
    running.run_due(due)
    run = ScheduleRun.objects.get()
    for page in (
        place(ScheduleRun, "changelist"),
        place(ScheduleRun, "change", run.pk),
        place(Schedule, "changelist"),
    ):
        assert staff.get(page, {"q": "Other"}).status_code == 200
    assert due < timezone.now() + timedelta(days=2)
