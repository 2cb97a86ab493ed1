"""Schedules: made, changed and run by a clock that the tests hold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chatcore.accounts.models import Integration, Membership, User
from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid
from chatcore.offload import offload
from conversations.models import Message
from external.models import Schedule, ScheduleRun
from external.schedules import actions, running, template
from external.schedules.service import ScheduleClock
from tests.accounts.parallel import in_parallel
from tests.api import key_client, make_client, problem_of, send, session_client
from tests.factories import make_conversation, make_key_principal, make_model, make_principal
from tests.until import until

PLACE = "/api/v1/schedules/"
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


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


# --- At the API ----------------------------------------------------------------------------------------------------


def wish(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Report",
        "content": "What is new?",
        "cron": "0 7 * * mon-fri",
        "respond": "none",
    } | fields


def test_a_key_makes_schedules_of_its_own_integration(owner: Principal) -> None:
    client = key_client(owner, "schedules:write", "schedules:read")
    made = send(client, "POST", PLACE, wish(time_zone="Europe/Vienna", conversation={"thread": "news"}))
    assert made.status_code == 201, made.content
    row = made.json()
    assert client.get(made["Location"]).json() == row
    assert (row["respond"], row["conversation"], row["at"]) == ("none", {"thread": "news"}, None)
    assert datetime.fromisoformat(row["next_run_at"]) > timezone.now()

    other = key_client(owner, "schedules:write", "schedules:read")
    assert other.get(PLACE).json()["results"] == []
    problem_of(other.get(made["Location"]), 404)
    problem_of(send(other, "PATCH", made["Location"], {"name": "Mine"}), 404)
    foreign = problem_of(send(other, "POST", PLACE, wish(integration=row["integration"])), 422)
    assert foreign["errors"][0]["pointer"] == "/integration"
    assert [row["id"] for row in session_client(owner).get(PLACE).json()["results"]] == [row["id"]]


def test_owners_name_the_integration_and_members_may_not(owner: Principal) -> None:
    integration = make_key_principal(owner, "messages:write").integration
    assert integration
    client = session_client(owner)
    assert problem_of(send(client, "POST", PLACE, wish()), 422)["errors"][0]["pointer"] == "/integration"
    made = send(client, "POST", PLACE, wish(integration=str(integration.id))).json()
    assert (made["integration"], made["created_by"]) == (str(integration.id), owner.author)
    member = session_client(make_principal(workspace=owner.workspace, role="member"))
    problem_of(member.get(PLACE), 403)
    problem_of(send(member, "POST", PLACE, wish(integration=str(integration.id))), 403)
    problem_of(make_client().get(PLACE), 401)


def test_what_is_wrong_is_pointed_at(owner: Principal) -> None:
    client = key_client(owner)
    stranger = make_principal()
    for fields, pointer in (
        ({"cron": "0 0 30 2 *"}, "/cron"),
        ({"cron": "every day"}, "/cron"),
        ({"cron": None}, "/cron"),
        ({"at": "2030-01-01T00:00:00Z"}, "/cron"),
        ({"cron": None, "at": "2020-01-01T00:00:00Z"}, "/at"),
        ({"cron": None, "at": "9999-12-31T23:59:59-12:00"}, "/at"),
        ({"cron": None, "at": "2030-01-01T00:00:00"}, "/at"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "../UTC"}, "/time_zone"),
        ({"name": " "}, "/name"),
        ({"content": ""}, "/content"),
        ({"content": "{{colour}}"}, "/content"),
        ({"content": "\x00"}, "/content"),
        ({"conversation": {"thread": "\x00"}}, "/conversation/thread"),
        ({"respond": {"model": "no such model"}}, "/respond/model"),
        ({"respond": "somebody"}, "/respond/plain"),
        ({"owner": str(stranger.user.id)}, "/owner"),  # type: ignore[union-attr]
        ({"missed": "twice"}, "/missed"),
        ({"colour": "red"}, "/colour"),
    ):
        problem = problem_of(send(client, "POST", PLACE, wish(**fields)), 422)
        assert problem["errors"][0]["pointer"].startswith(pointer), (fields, problem)
    talk = make_conversation(stranger, "Private.")
    problem_of(send(client, "POST", PLACE, wish(conversation=str(talk.id))), 404)
    assert Schedule.objects.count() == 0


def test_naming_an_owner_needs_the_grant_to_act_as_others(owner: Principal) -> None:
    other = make_principal(workspace=owner.workspace, role="member")
    assert other.user
    weak = key_client(owner, "schedules:write")
    problem_of(send(weak, "POST", PLACE, wish(owner=str(other.user.id))), 403)
    strong = key_client(owner, "schedules:write", "users:act_as:any", "messages:write")
    made = send(strong, "POST", PLACE, wish(owner=str(other.user.id))).json()
    Schedule.objects.filter(pk=made["id"]).update(next_run_at=NINE)
    run_at(NINE + timedelta(days=1))
    assert ScheduleRun.objects.count() == 1
    Membership.objects.filter(user=other.user).delete()
    Schedule.objects.filter(pk=made["id"]).update(next_run_at=NINE + timedelta(days=2))
    run_at(NINE + timedelta(days=2))
    assert ScheduleRun.objects.latest("id").code == "not_found"


def test_changes_count_from_now_and_switching_off_keeps_the_rest(owner: Principal) -> None:
    client = key_client(owner)
    made = send(client, "POST", PLACE, wish()).json()
    place = f"{PLACE}{made['id']}/"

    def change(**fields: Any) -> dict[str, Any]:
        answer = send(client, "PATCH", place, fields)
        assert answer.status_code == 200, answer.content
        changed: dict[str, Any] = answer.json()
        return changed

    assert change(name="Other")["next_run_at"] == made["next_run_at"]
    assert change(enabled=False)["next_run_at"] is None
    assert change(content="Still off.")["next_run_at"] is None
    on = change(enabled=True)
    assert (on["next_run_at"], on["content"], on["cron"]) == (made["next_run_at"], "Still off.", made["cron"])
    once = change(at="2090-01-01T00:00:00Z")
    assert (once["cron"], once["at"], once["next_run_at"]) == (None, once["at"], once["at"])
    again = change(cron="@hourly", conversation={"thread": "x"})
    assert (again["cron"], again["at"], again["conversation"]) == ("0 * * * *", None, {"thread": "x"})
    assert change(conversation=None)["conversation"] is None
    assert client.delete(place).status_code == 204
    problem_of(client.get(place), 404)


def test_its_runs_are_listed_newest_first(owner: Principal) -> None:
    client = session_client(owner)
    schedule = make_schedule(owner)
    for day in range(3):
        run_at(NINE + timedelta(days=day))
    place = f"{PLACE}{schedule.pk}/runs/"
    first = client.get(place, {"page_size": 2}).json()
    rest = client.get(first["next"]).json()
    times = [row["due_at"] for row in first["results"] + rest["results"]]
    assert times == [f"2026-11-{day}T09:00:00Z" for day in (25, 24, 23)]
    assert {row["outcome"] for row in first["results"]} == {"posted"}
    assert {row["code"] for row in first["results"]} == {None}
    problem_of(session_client(make_principal()).get(place), 404)
