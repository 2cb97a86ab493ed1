"""The logs on the pages of schedules and sources."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from chatcore.accounts.principals import Principal
from external.models import Arrival, ReplyPart, ScheduleRun
from external.schedules import running
from tests.conversations.pages.browsing import signed_in, text
from tests.external.scheduling import NINE, make_schedule
from tests.external.vendors import TWILIO, make_source
from tests.factories import make_conversation, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def test_a_schedule_shows_its_next_time_and_its_runs(owner: Principal) -> None:
    schedule = make_schedule(owner, time_zone="Europe/Vienna", cron="0 10 * * *")
    browser, page = signed_in(owner), reverse("schedule", args=[schedule.pk])
    assert "Mon 23 Nov 2026, 10:00" in text(browser.get(page))
    running.run_due(NINE)
    run = ScheduleRun.objects.get(schedule=schedule)
    html = text(browser.get(page))
    assert reverse("chat", args=[run.conversation]) in html
    assert "Tue 24 Nov 2026, 10:00" in html
    ScheduleRun.objects.bulk_create(
        ScheduleRun(
            schedule=schedule,
            due_at=NINE + timedelta(days=day),
            ran_at=NINE,
            outcome="failed",
            code="forbidden",
            detail="<b>Not allowed.</b>",
        )
        for day in range(1, 51)
    )
    html = text(browser.get(page))
    assert html.count('<th scope="row">') == 50
    assert "&lt;b&gt;Not allowed." in html
    older = re.search(r'href="(\?before=[^"]+)"', html)
    assert older
    assert text(browser.get(page + older[1])).count('<th scope="row">') == 1
    assert browser.get(f"{page}?before=x").status_code == 200


def test_a_source_shows_its_address_and_what_came_and_went(owner: Principal, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example"
    source = make_source(owner, **TWILIO)
    mine, theirs = (
        make_conversation(who, "Hi") for who in (owner, make_principal(workspace=owner.workspace))
    )
    for conversation in (mine, theirs):
        Arrival.objects.create(source=source, message=conversation.active_leaf)
    source.rejections.create(code="invalid", detail="Too long.", body="<script>x</script>")
    ReplyPart.objects.create(
        source=source,
        message=mine.active_leaf,
        part=0,
        text="No",
        address={},
        status="failed",
        error="Blocked.",
    )
    browser, page = signed_in(owner), reverse("source", args=[source.pk])
    html = text(browser.get(page))
    assert f"https://chat.example/in/twilio/{source.pk}/" in html
    assert "auth_token" in html
    assert TWILIO["secrets"]["auth_token"] not in re.sub(r"csrf[^>]*", "", html)
    assert reverse("chat", args=[mine.pk]) in html
    assert reverse("chat", args=[theirs.pk]) not in html  # somebody else's, which would not open
    assert "&lt;script&gt;x" in text(browser.get(f"{page}?log=refused"))
    assert "Blocked." in text(browser.get(f"{page}?log=replies"))
    assert browser.get(f"{page}?log=other&before={uuid.uuid4()}").status_code == 200
