"""Schedules run by a clock that the tests hold: once, in time, and recorded whatever becomes of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatcore.accounts.models import Integration, User
from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid
from chatcore.offload import offload
from chatcore.security import windows
from conversations.models import Message
from external.models import Schedule, ScheduleRun
from external.schedules import running, template
from external.schedules.service import ScheduleClock
from tests.accounts.parallel import in_parallel
from tests.external.scheduling import NINE, due, make_schedule, run_at, runs
from tests.factories import make_conversation, make_key_principal, make_model, make_principal
from tests.until import until


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


# --- The clock -----------------------------------------------------------------------------------------------------


def test_it_posts_when_it_is_due_and_once(owner: Principal) -> None:
    schedule = make_schedule(owner)
    assert run_at(NINE - timedelta(seconds=1)) == []
    assert run_at(NINE + timedelta(seconds=4)) == ["Good morning."]
    assert run_at(NINE + timedelta(seconds=9)) == []
    assert due(schedule) == NINE + timedelta(days=1)
    assert run_at(NINE + timedelta(days=1)) == ["Good morning."]
    assert runs(schedule) == [(NINE, "posted", 0), (NINE + timedelta(days=1), "posted", 0)]


def test_what_it_posts_is_its_integration_s_and_in_its_user_s_conversation(owner: Principal) -> None:
    schedule = make_schedule(owner, title="Reports")
    run_at(NINE)
    message = Message.objects.get()
    assert (message.author, message.integration, message.user) == (
        "integration",
        schedule.integration,
        owner.user,
    )
    assert (message.conversation.owner, message.conversation.title) == (owner.user, "Reports")
    record = ScheduleRun.objects.get()
    assert (record.message, record.conversation) == (message.id, message.conversation_id)


def test_a_thread_goes_on_and_a_conversation_is_the_one_named(owner: Principal) -> None:
    talk = make_conversation(owner, "Hello.")
    make_schedule(owner, thread="reports")
    make_schedule(owner, conversation=talk.id, content="Into the talk.")
    for day in range(3):
        run_at(NINE + timedelta(days=day))
    assert Message.objects.filter(conversation=talk, text="Into the talk.").count() == 3
    assert Message.objects.filter(text="Good morning.").values("conversation").distinct().count() == 1


def test_its_responder_replies(owner: Principal) -> None:
    make_model("small")
    for fields in ({"respond": "default"}, {"respond": "model", "model_name": "small"}):
        schedule = make_schedule(owner, **fields)
        run_at(NINE)
        reply = Message.objects.get(id=ScheduleRun.objects.get(schedule=schedule).reply)
        assert (reply.status, reply.model_name, reply.parent.text) == ("queued", "small", "Good morning.")


def test_one_instant_comes_once(owner: Principal) -> None:
    schedule = make_schedule(owner, cron="", at=NINE)
    assert run_at(NINE) == ["Good morning."]
    assert due(schedule) is None
    assert run_at(NINE + timedelta(days=400)) == []


@pytest.mark.parametrize(
    ("missed", "cron", "down", "recorded"),
    [
        ("once", "0 9 * * *", timedelta(days=3, hours=2), [(NINE + timedelta(days=3), "posted", 3)]),
        ("skip", "0 9 * * *", timedelta(days=3, hours=2), [(NINE + timedelta(days=3), "skipped", 3)]),
        ("skip", "0 9 * * *", timedelta(days=3, seconds=20), [(NINE + timedelta(days=3), "posted", 3)]),
        ("skip", "0 9 * * *", timedelta(seconds=50), [(NINE, "posted", 0)]),
        ("skip", "0 9 * * *", timedelta(seconds=70), [(NINE, "skipped", 0)]),
        ("once", "* * * * *", timedelta(days=30), [(NINE + timedelta(days=30), "posted", 100)]),
    ],
)
def test_times_that_nobody_saw_are_posted_once_or_left_out(
    owner: Principal, missed: str, cron: str, down: timedelta, recorded: list[Any]
) -> None:
    schedule = make_schedule(owner, cron=cron, missed=missed, now=NINE - timedelta(seconds=30))
    posted = run_at(NINE + down)
    assert len(posted) == sum(outcome == "posted" for _, outcome, _ in recorded)
    assert runs(schedule) == recorded
    following = due(schedule)
    assert following
    assert following > NINE + down


def test_its_moment_is_filled_in_by_the_clock_of_its_zone(owner: Principal) -> None:
    content = "{{name}}: {{ weekday }}, {{date}} {{time}} ({{due_at}}) {braces} {{"
    make_schedule(
        owner,
        content=content,
        cron="",
        at=datetime(2026, 3, 29, 1, tzinfo=UTC),
        time_zone="Europe/Vienna",
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert run_at(datetime(2026, 3, 29, 1, tzinfo=UTC)) == [
        "Morning: Sunday, 2026-03-29 03:00 (2026-03-29T03:00:00+02:00) {braces} {{"
    ]
    with pytest.raises(Invalid, match="colour"):
        template.check("{{ colour }}")


# --- Trouble -------------------------------------------------------------------------------------------------------


def test_what_is_refused_is_recorded_and_does_not_hold_up_others(owner: Principal) -> None:
    talk = make_conversation(owner, "Hello.")
    off, lost, suspended = (make_schedule(owner, content=text) for text in ("off", "lost", "suspended"))
    lost.conversation = talk.id
    lost.save()
    talk.delete()
    Integration.objects.filter(pk=off.integration_id).update(enabled=False)
    member = make_principal(workspace=owner.workspace)
    Schedule.objects.filter(pk=suspended.pk).update(owner=member.user)
    User.objects.filter(pk=member.user.pk).update(is_active=False)  # type: ignore[union-attr]
    make_schedule(owner)

    assert run_at(NINE) == ["Good morning."]
    told = {run.schedule.content: (run.outcome, run.code) for run in ScheduleRun.objects.all()}
    assert told == {
        "off": ("failed", "integration_off"),
        "lost": ("failed", "not_found"),
        "suspended": ("failed", "user_suspended"),
        "Good morning.": ("posted", ""),
    }
    assert due(off) == NINE + timedelta(days=1)


def test_what_is_posted_by_the_clock_is_paid_for_as_what_its_integration_posts_itself(
    owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    key = make_key_principal(owner, "*:*")
    Integration.objects.filter(pk=key.integration.pk).update(constraints={"requests_per_minute": 1})  # type: ignore[union-attr]
    now = NINE - timedelta(hours=1)
    first, second = (
        make_schedule(owner, integration=key.integration, content=text, now=now) for text in ("1", "2")
    )
    assert run_at(NINE) == ["1"]
    refused = ScheduleRun.objects.get(schedule=second)
    assert (refused.outcome, refused.code) == ("failed", "rate_limited")
    assert due(second) == NINE + timedelta(days=1)
    windows.forget()  # as when the minute is over
    Schedule.objects.filter(pk=first.pk).delete()
    assert run_at(NINE + timedelta(days=1)) == ["2"]


def test_what_breaks_unexpectedly_stays_due_and_the_others_run(
    owner: Principal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = make_schedule(owner, content="broken"), make_schedule(owner, content="whole")
    accept = running.accept_one

    def accept_whole(principal: Principal, item: Any) -> Any:
        if item.content == "broken":
            raise RuntimeError("no such thing as a broken schedule")
        return accept(principal, item)

    monkeypatch.setattr(running, "accept_one", accept_whole)
    assert run_at(NINE) == ["whole"]
    assert str(broken.pk) in caplog.text
    assert (due(broken), due(whole)) == (NINE, NINE + timedelta(days=1))
    monkeypatch.undo()
    assert run_at(NINE + timedelta(seconds=5)) == ["broken"]


def test_a_run_may_what_its_integration_may_then(owner: Principal) -> None:
    key = make_key_principal(owner, "messages:write", "conversations:write")
    schedule = make_schedule(owner, integration=key.integration)
    Integration.objects.filter(pk=schedule.integration_id).update(grants=["messages:read"])
    assert run_at(NINE) == []
    assert ScheduleRun.objects.get().code == "forbidden"


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_that_look_at_once_one_posts() -> None:
    owner = make_principal()
    schedule = make_schedule(owner)
    in_parallel(8, lambda: running.run_due(NINE))
    assert Message.objects.count() == 1
    assert runs(schedule) == [(NINE, "posted", 0)]


@pytest.mark.django_db(transaction=True)
async def test_a_worker_looks_by_itself() -> None:
    def make() -> None:
        make_schedule(make_principal(), now=NINE - timedelta(days=400))

    await offload(make)
    service = ScheduleClock()
    await service.start()
    try:
        await until(lambda: offload(Message.objects.filter(text="Good morning.").exists))
    finally:
        await service.stop(1)


def test_records_are_forgotten_after_90_days(owner: Principal) -> None:
    schedule = make_schedule(owner)
    run_at(NINE)
    assert running.forget_runs(NINE + timedelta(days=89)) == 0
    assert running.forget_runs(NINE + timedelta(days=91)) == 1
    assert runs(schedule) == []
