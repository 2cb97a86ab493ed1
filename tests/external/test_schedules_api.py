"""Schedules at the API: who may make them, what is wrong with them, and what they are told of their runs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from external.models import Schedule, ScheduleRun
from tests.api import key_client, make_client, problem_of, send, session_client
from tests.external.scheduling import NINE, make_schedule, run_at
from tests.factories import make_conversation, make_key_principal, make_principal

PLACE = "/api/v1/schedules/"


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


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
        ({"content": "{{" + " " * 31_000 + "{{colour}}"}, "/content"),
        ({"content": "\x00"}, "/content"),
        ({"conversation": {"thread": "\x00"}}, "/conversation/thread"),
        ({"conversation": "\ud800"}, "/conversation"),
        ({"respond": {"model": "no such model"}}, "/respond/model"),
        ({"respond": {"model": ""}}, "/respond/model"),
        ({"respond": "somebody"}, "/respond"),
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
