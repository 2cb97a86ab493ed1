"""The ledger, its sums and the budgets at the API: who sees what, filters, pages, files."""

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.utils import timezone

from chatcore import exports
from chatcore.accounts import keys
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.offload import offload
from chatcore.usage.models import Budget, Usage
from conversations import actions
from tests.api import key_client, problem_of, send, session_client
from tests.factories import make_conversation, make_key_principal, make_model, make_principal
from tests.usage.factories import make_budget, make_usage

LEDGER, SUMMARY, BUDGETS = "/api/v1/usage/", "/api/v1/usage/summary/", "/api/v1/budgets/"


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


@pytest.fixture
def member(owner: Principal) -> Principal:
    return make_principal(workspace=owner.workspace, role="member")


def ids(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {row["id"] for row in answer.json()["results"]}


def table(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


# --- The ledger ----------------------------------------------------------------------------------------------------


def test_a_row_says_what_is_known_and_null_where_nothing_is(owner: Principal) -> None:
    make_usage(owner, cost=None, cached_tokens=None, cache_write_tokens=30, first_token_ms=120)
    (row,) = session_client(owner).get(LEDGER).json()["results"]
    assert (row["input_tokens"], row["cached_tokens"], row["first_token_ms"]) == (1000, None, 120)
    assert (row["cost"], row["currency"]) == (None, None)
    (line,) = table(session_client(owner).get(LEDGER, {"format": "csv"}))
    total = session_client(owner).get(SUMMARY).json()["total"]
    assert (row["cache_write_tokens"], line["cache_write_tokens"], total["cache_write_tokens"]) == (
        30,
        "30",
        30,
    )


def test_owners_and_admins_see_all_members_their_own_and_strangers_nothing(
    owner: Principal, member: Principal
) -> None:
    theirs, own = str(make_usage(owner).id), str(make_usage(member).id)
    admin = make_principal(workspace=owner.workspace, role="admin")

    assert ids(session_client(owner).get(LEDGER)) == {theirs, own}
    assert ids(session_client(admin).get(LEDGER)) == {theirs, own}
    assert ids(session_client(member).get(LEDGER)) == {own}
    assert ids(session_client(member).get(LEDGER, {"user": str(owner.user.id)})) == set()  # type: ignore[union-attr]
    assert ids(session_client(make_principal()).get(LEDGER)) == set()
    for asker, calls in ((owner, 2), (member, 1), (make_principal(), 0)):
        assert session_client(asker).get(SUMMARY).json()["total"]["calls"] == calls


def test_a_key_sees_what_its_user_may_and_one_that_acts_for_nobody_its_own(
    owner: Principal, member: Principal
) -> None:
    make_usage(owner)
    own = make_usage(member)
    assert len(ids(key_client(owner, "usage:read").get(LEDGER))) == 2
    assert ids(key_client(member, "usage:read").get(LEDGER)) == {str(own.id)}
    problem_of(key_client(owner, "messages:read").get(LEDGER), 403)

    nobody = make_key_principal(Principal(None, owner.workspace, None, frozenset(), ""), "usage:read")
    mine = make_usage(nobody)
    client = Client(headers={"X-API-Key": keys.mint(_integration(nobody))[1]})
    assert ids(client.get(LEDGER)) == {str(mine.id)}


def _integration(principal: Principal) -> Integration:
    assert principal.integration
    return principal.integration


def test_it_is_read_page_by_page_newest_first(owner: Principal) -> None:
    now = timezone.now()
    made = [str(make_usage(owner, created_at=now - timedelta(minutes=n // 2)).id) for n in range(7)]
    client = session_client(owner)
    seen: list[str] = []
    answer = client.get(LEDGER, {"page_size": 3}).json()
    seen += [row["id"] for row in answer["results"]]
    while answer["next"]:
        answer = client.get(answer["next"]).json()
        seen += [row["id"] for row in answer["results"]]
    assert len(seen) == 7
    assert set(seen) == set(made)
    assert seen.index(made[0]) < seen.index(made[6])


def test_filters_choose(owner: Principal, member: Principal) -> None:
    outside = make_key_principal(owner)
    talk = uuid.uuid4()
    old = make_usage(owner, created_at=datetime(2026, 3, 1, 12, tzinfo=UTC), model_name="deep")
    late = make_usage(member, created_at=datetime(2026, 3, 2, 23, 59, tzinfo=UTC), conversation=talk)
    keyed = make_usage(outside, created_at=datetime(2026, 3, 3, tzinfo=UTC))
    client = session_client(owner)
    for query, expected in (
        ({"from": "2026-03-02"}, {late, keyed}),
        ({"to": "2026-03-02"}, {old, late}),
        ({"from": "2026-03-02", "to": "2026-03-02"}, {late}),
        ({"from": "2026-03-02T23:59:00Z", "to": "2026-03-03T00:00:00Z"}, {late}),
        ({"from": "2026-03-03T01:00:00+01:00"}, {keyed}),
        ({"model": "deep"}, {old}),
        ({"conversation": str(talk)}, {late}),
        ({"integration": str(_integration(outside).id)}, {keyed}),
        ({"user": str(member.user.id)}, {late}),  # type: ignore[union-attr]
    ):
        assert ids(client.get(LEDGER, query)) == {str(row.id) for row in expected}, query


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"to": "2026-02-30"},
        {"from": "2026-03-03T00:00:00"},
        {"to": "9999-12-31"},
        {"user": "me"},
        {"format": "xml"},
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(owner: Principal, query: dict[str, str]) -> None:
    problem = problem_of(session_client(owner).get(LEDGER, query), 422)
    assert problem["errors"][0]["pointer"] == f"/{next(iter(query))}"


# --- Sums ----------------------------------------------------------------------------------------------------------


def test_sums_are_by_what_is_asked_and_keep_currencies_and_the_unknown_apart(
    owner: Principal, member: Principal
) -> None:
    make_usage(owner)
    make_usage(owner, cost=Decimal(2), currency="EUR")
    make_usage(member, cost=None, outcome="failed", input_tokens=None, output_tokens=None, model_name="deep")
    client = session_client(owner)

    by_user = client.get(SUMMARY, {"by": "user"}).json()
    assert [row["calls"] for row in by_user["results"]] == [2, 1]
    first, second = by_user["results"]
    assert (first["key"], first["name"]) == (str(owner.user.id), owner.user.display_name)  # type: ignore[union-attr]
    assert (first["cost"], first["unknown_cost_calls"]) == ({"EUR": "2", "USD": "0.003"}, 0)
    assert (second["cost"], second["unknown_cost_calls"], second["unknown_token_calls"]) == ({}, 1, 1)
    assert second["failures"] == 1
    assert by_user["total"] == first | {
        "key": None,
        "name": "",
        "calls": 3,
        "failures": 1,
        "unknown_cost_calls": 1,
        "unknown_token_calls": 1,
    }
    by_model = client.get(SUMMARY, {"by": "model"}).json()["results"]
    assert [(row["name"], row["calls"]) for row in by_model] == [("plain", 2), ("deep", 1)]
    by_integration = client.get(SUMMARY, {"by": "integration"}).json()["results"]
    assert [(row["key"], row["calls"]) for row in by_integration] == [(None, 3)]
    today = Usage.objects.latest("created_at").created_at.astimezone(UTC).date().isoformat()
    assert [row["key"] for row in client.get(SUMMARY, {"by": "day", "from": today}).json()["results"]] == [
        today
    ]
    problem_of(client.get(SUMMARY, {"by": "moon"}), 422)


# --- Files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", [({"format": "csv"}, {}), ({}, {"Accept": "text/csv"})])
def test_the_ledger_is_a_file_however_many_rows_it_has(
    owner: Principal, monkeypatch: pytest.MonkeyPatch, wish: tuple[dict[str, str], dict[str, str]]
) -> None:
    monkeypatch.setattr(exports, "BATCH", 3)
    query, headers = wish
    made = {str(make_usage(owner, cost=None if n == 4 else Decimal("0.003")).id) for n in range(8)}

    answer = session_client(owner).get(LEDGER, query, headers=headers)

    rows = table(answer)
    assert {row["id"] for row in rows} == made
    assert len(rows) == 8
    assert answer["Content-Disposition"] == 'attachment; filename="usage.csv"'
    assert sorted(row["cost"] for row in rows) == ["", *["0.003"] * 7]
    assert {row["estimated"] for row in rows} == {"false"}


def test_no_cell_of_a_file_is_a_formula(owner: Principal) -> None:
    for name in ("=1+1", "+1", "-1", "@sum", "\t=1"):
        make_usage(owner, model_name=name)
    client = session_client(owner)
    assert {row["model"] for row in table(client.get(LEDGER, {"format": "csv"}))} == {
        "'=1+1",
        "'+1",
        "'-1",
        "'@sum",
        "'\t=1",
    }
    names = {row["name"] for row in table(client.get(SUMMARY, {"by": "model", "format": "csv"}))}
    assert all(name.startswith("'") for name in names)


def test_sums_are_a_file_with_a_column_for_each_currency(owner: Principal) -> None:
    make_usage(owner)
    make_usage(owner, cost=Decimal(2), currency="EUR", model_name="deep")
    rows = table(session_client(owner).get(SUMMARY, {"by": "model", "format": "csv"}))
    assert {row["name"]: (row["cost_USD"], row["cost_EUR"]) for row in rows} == {
        "plain": ("0.003", ""),
        "deep": ("", "2"),
    }


@pytest.mark.django_db(transaction=True)
async def test_a_file_is_streamed_without_a_thread_that_waits(owner: Principal) -> None:
    await offload(make_usage, owner)
    integration = await offload(make_key_principal, owner, "usage:read")
    key = (await offload(keys.mint, _integration(integration)))[1]
    answer: Any = await AsyncClient().get(f"{LEDGER}?format=csv", headers={"X-API-Key": key})
    assert answer.is_async
    parts = [part.decode() async for part in answer.streaming_content]
    assert [part.count("\r\n") for part in parts] == [1, 1]


# --- Budgets -------------------------------------------------------------------------------------------------------


def test_a_budget_is_added_read_changed_and_removed(owner: Principal) -> None:
    client = session_client(owner)
    model = make_model("deep")
    make_usage(owner, model=model)
    body = {"unit": "money", "period": "month", "limit": "2.50", "model": "deep"}

    answer = send(client, "POST", BUDGETS, body)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    address = answer["Location"]
    assert (made["limit"], made["spent"], made["remaining"]) == ("2.5", "0.003", "2.497")
    assert (made["model"], made["user"], made["currency"], made["strict"]) == ("deep", None, "USD", False)
    assert client.get(address).json() == made
    assert client.get(BUDGETS).json()["results"] == [made]

    changed = send(client, "PATCH", address, {"limit": 4, "strict": True}).json()
    assert changed == made | {"limit": "4", "strict": True, "remaining": "3.997"}
    assert send(client, "DELETE", address).status_code == 204
    assert client.get(address).status_code == 404


def test_what_runs_is_set_aside(owner: Principal) -> None:
    model = make_model()
    budget = make_budget(owner, 5)
    talk = make_conversation(owner)
    actions.post_message(owner, talk.id, text="Hello", model=model.name)
    row = session_client(owner).get(f"{BUDGETS}{budget.id}/").json()
    assert (row["spent"], row["reserved"], row["remaining"]) == ("0", "1", "4")


def test_members_read_their_own_budgets_and_change_none(owner: Principal, member: Principal) -> None:
    own, whole = make_budget(owner, user=member.user), make_budget(owner)
    client = session_client(member)
    assert ids(client.get(BUDGETS)) == {str(own.id)}
    assert client.get(f"{BUDGETS}{own.id}/").status_code == 200
    problem_of(client.get(f"{BUDGETS}{whole.id}/"), 404)
    body = {"unit": "tokens", "period": "day", "limit": 1}
    problem_of(send(client, "POST", BUDGETS, body), 403)
    for budget in (own, whole):
        problem_of(send(client, "PATCH", f"{BUDGETS}{budget.id}/", {"limit": 99}), 403)
        problem_of(send(client, "DELETE", f"{BUDGETS}{budget.id}/"), 403)
    assert Budget.objects.count() == 2


def test_what_staff_set_is_read_and_not_changed(owner: Principal) -> None:
    make_budget(owner, set_by_staff=True)
    client = session_client(owner)
    (row,) = client.get(BUDGETS).json()["results"]
    assert row["set_by_staff"] is True
    address = f"{BUDGETS}{row['id']}/"
    assert problem_of(send(client, "PATCH", address, {"enabled": False}), 403)["code"] == "set_by_staff"
    assert problem_of(send(client, "DELETE", address), 403)["code"] == "set_by_staff"
    refused = send(client, "PATCH", address, {"set_by_staff": False})
    assert problem_of(refused, 422)["errors"][0]["pointer"] == "/set_by_staff"
    assert client.get(address).json() == row


def test_a_strangers_budget_is_as_absent_as_none(owner: Principal) -> None:
    budget = make_budget(owner)
    stranger = session_client(make_principal())
    for place in (budget.id, uuid.uuid4()):
        problem_of(stranger.get(f"{BUDGETS}{place}/"), 404)
        problem_of(send(stranger, "PATCH", f"{BUDGETS}{place}/", {"limit": 99}), 404)
        problem_of(send(stranger, "DELETE", f"{BUDGETS}{place}/"), 404)
    assert ids(stranger.get(BUDGETS)) == set()
    assert Budget.objects.get().limit == 10


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"limit": 0}, "/limit"),
        ({"limit": "many"}, "/limit"),
        ({"limit": "NaN"}, "/limit"),
        ({"limit": 1.5}, "/limit"),
        ({"unit": "hugs"}, "/unit"),
        ({"period": "year"}, "/period"),
        ({"currency": "usd"}, "/currency"),
        ({"model": "no such"}, "/model"),
        ({"user": str(uuid.uuid4())}, "/user"),
        ({"integration": str(uuid.uuid4())}, "/integration"),
        ({"color": "red"}, "/color"),
    ],
)
def test_what_is_wrong_with_a_budget_is_named(
    owner: Principal, changes: dict[str, Any], pointer: str
) -> None:
    body = {"unit": "requests", "period": "day", "limit": 5} | changes
    problem = problem_of(send(session_client(owner), "POST", BUDGETS, body), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert not Budget.objects.exists()
    assert not Usage.objects.exists()
