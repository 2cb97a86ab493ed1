"""Looking after integrations and keys over the API: what owners and keys may hand out, and what they may not."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.models import Integration, Key
from chatcore.accounts.principals import Principal
from chatcore.usage.models import Budget
from conversations import actions as conversation_actions
from tests.api import key_client, problem_of, send, session_client
from tests.factories import make_key_principal, make_model, make_principal

pytestmark = pytest.mark.django_db
INTEGRATIONS = "/api/v1/integrations/"


@pytest.fixture(autouse=True)
def _own_addresses(settings: Any) -> None:
    """The whole API, not this folder's probes."""
    settings.ROOT_URLCONF = "chatcore.urls"


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def made(client: Client, **fields: Any) -> dict[str, Any]:
    answer = send(client, "POST", INTEGRATIONS, {"name": f"Bell {uuid.uuid4().hex[:6]}"} | fields)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    assert client.get(answer["Location"]).json() == found
    return found


def keys_of(integration: dict[str, Any]) -> str:
    return f"{INTEGRATIONS}{integration['id']}/keys/"


def opens(text: str) -> bool:
    answer = Client(headers={"X-API-Key": text}).get("/api/v1/models/")
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_one_is_made_changed_and_removed(owner: Principal) -> None:
    client = session_client(owner)
    bell = made(client, role="system", grants=["models:read"], allowed_addresses=["192.0.2.0/24"])
    assert bell["acts_as"] == str(owner.user and owner.user.id)
    assert set(bell["grants"]) == {
        "conversations:write",
        "messages:write",
        "models:read",
        "models:use",
        "replies:write",
    }
    address = f"{INTEGRATIONS}{bell['id']}/"
    changed = send(client, "PATCH", address, {"grants": ["models:read"], "acts_as": None}).json()
    assert changed == bell | {"grants": ["models:read"], "acts_as": None}
    assert [row["id"] for row in client.get(INTEGRATIONS).json()["results"]] == [bell["id"]]
    assert send(client, "DELETE", address).status_code == 204
    problem_of(client.get(address), 404)


def test_a_key_is_shown_once_rotated_with_an_overlap_and_revoked(owner: Principal) -> None:
    client = session_client(owner)
    bell = made(client, role="agent")
    first = send(client, "POST", keys_of(bell), {}).json()
    assert opens(first["key"])
    second = send(client, "POST", f"{keys_of(bell)}rotate/", {"overlap_hours": 2}).json()
    assert opens(first["key"])
    assert opens(second["key"])

    listed = client.get(keys_of(bell)).json()["results"]
    assert [row["id"] for row in listed] == [second["id"], first["id"]]
    assert first["key"] not in str(listed)
    assert first["key"].startswith(listed[1]["hint"].rstrip("…"))
    ends = Key.objects.get(pk=first["id"]).expires_at
    assert ends
    assert timedelta(hours=1, minutes=59) < ends - timezone.now() <= timedelta(hours=2)
    assert listed[1]["last_used_at"] is not None

    assert problem_of(send(client, "POST", keys_of(bell), {}), 409)["code"] == "too_many_keys"
    assert send(client, "DELETE", f"{keys_of(bell)}{first['id']}/").status_code == 204
    assert (opens(first["key"]), opens(second["key"])) == (False, True)
    assert client.get(f"{keys_of(bell)}{first['id']}/").json()["live"] is False
    assert opens(send(client, "POST", keys_of(bell), {}).json()["key"])


def test_a_key_without_overlap_ends_at_once(owner: Principal) -> None:
    client = session_client(owner)
    bell = made(client, role="agent")
    old = send(client, "POST", keys_of(bell), {}).json()["key"]
    new = send(client, "POST", f"{keys_of(bell)}rotate/", {"overlap_hours": 0}).json()["key"]
    assert (opens(old), opens(new)) == (False, True)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "Taken"}, "/name"),
        ({"grants": ["messages"]}, "/grants"),
        ({"role": "king"}, "/role"),
        ({"allowed_addresses": ["10.0.0.1/8"]}, "/allowed_addresses"),
        ({"constraints": {"model": ["a"]}}, "/constraints/model"),
        ({"constraints": {"requests_per_minute": 0}}, "/constraints/requests_per_minute"),
        ({"constraints": {"metadata_schema": {"type": 7}}}, "/constraints"),
        ({"secret": "mine"}, "/secret"),
    ],
)
def test_what_cannot_be_kept_is_named(owner: Principal, fields: dict[str, Any], pointer: str) -> None:
    client = session_client(owner)
    made(client, name="Taken")
    answer = send(client, "POST", INTEGRATIONS, {"name": "Bell"} | fields)
    assert problem_of(answer, 422)["errors"][0]["pointer"].startswith(pointer)
    assert Integration.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\x00b"},
        {"constraints": {"threads": ["a\x00b"]}},
        {"constraints": {"metadata_schema": {"a": "\ud800"}}},
    ],
)
def test_what_postgres_cannot_hold_is_refused(owner: Principal, fields: dict[str, Any]) -> None:
    answer = send(session_client(owner), "POST", INTEGRATIONS, {"name": "Bell"} | fields)
    assert "U+0000" in problem_of(answer, 422)["detail"]


def test_a_key_cannot_begin_after_its_end(owner: Principal) -> None:
    client = session_client(owner)
    past = (timezone.now() - timedelta(minutes=1)).isoformat()
    problem_of(send(client, "POST", keys_of(made(client)), {"expires_at": past}), 422)
    assert not Key.objects.exists()


def test_the_amounts_of_a_day_are_budgets_and_hold(owner: Principal) -> None:
    model = make_model("swift")
    client = session_client(owner)
    bell = made(
        client, role="agent", constraints={"tokens_per_day": 700, "money_per_day": "2.50", "concurrency": 3}
    )
    assert {budget.unit: str(budget) for budget in Budget.objects.all()} == {
        "tokens": "700 tokens a day",
        "money": "2.50 USD a day",
    }
    key = Client(headers={"X-API-Key": send(client, "POST", keys_of(bell), {}).json()["key"]})
    talk = conversation_actions.start_conversation(owner)
    place, body = f"/api/v1/conversations/{talk.id}/messages/", {"content": "Hello", "model": model.name}
    assert send(key, "POST", place, body).status_code == 201
    refused = send(key, "POST", place, body)
    assert (refused.status_code, refused.json()["code"]) == (429, "budget_exceeded")

    address = f"{INTEGRATIONS}{bell['id']}/"
    changed = send(client, "PATCH", address, {"constraints": {"tokens_per_day": 900_000}}).json()
    held = {name: value for name, value in changed["constraints"].items() if value is not None}
    assert held == {"tokens_per_day": 900_000}
    assert send(key, "POST", place, body).status_code == 201
    send(client, "PATCH", address, {"name": "Louder bell"})
    assert Budget.objects.get().limit == 900_000


# --- Nobody hands out more than they have --------------------------------------------------------------------------


def test_members_look_after_no_integrations(owner: Principal) -> None:
    bell = made(session_client(owner))
    member = make_principal(workspace=owner.workspace, role="member")
    for client in (session_client(member), key_client(member)):
        problem_of(client.get(INTEGRATIONS), 403)
        problem_of(send(client, "POST", INTEGRATIONS, {"name": "Mine"}), 403)
        problem_of(send(client, "POST", keys_of(bell), {}), 403)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("messages:write", True),
        ("messages:write:abc", True),
        ("models:use:gpt-5", True),
        ("models:use:gpt-*", True),
        ("models:use", False),
        ("models:use:*", False),
        ("conversations:read", False),
        ("messages:*", False),
        ("*:write", False),
        ("*:*", False),
    ],
)
def test_a_key_grants_what_it_has_and_no_more(owner: Principal, wanted: str, given: bool) -> None:
    client = key_client(owner, "integrations:manage", "messages:write", "models:use:gpt-*")
    answer = send(client, "POST", INTEGRATIONS, {"name": "Child", "grants": [wanted]})
    if given:
        assert answer.status_code == 201, answer.content
    else:
        assert problem_of(answer, 403)["code"] == "beyond_reach"
        assert answer.json()["errors"][0]["pointer"] == "/grants/0"


def test_a_key_makes_no_key_that_opens_more_than_itself(owner: Principal) -> None:
    strong = made(session_client(owner), grants=["*:*"])
    weak = key_client(owner, "integrations:manage")
    for path in (keys_of(strong), f"{keys_of(strong)}rotate/"):
        assert problem_of(send(weak, "POST", path, {}), 403)["code"] == "beyond_reach"
    assert not Key.objects.filter(integration=strong["id"]).exists()


def like_the_parent(**changes: Any) -> dict[str, Any]:
    constraints = {"requests_per_minute": 60, "models": ["gpt-5"]} | changes.pop("constraints", {})
    return {"allowed_addresses": ["192.0.2.7"], "constraints": constraints} | changes


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({}, False),
        (like_the_parent(), True),
        (like_the_parent(allowed_addresses=[]), False),
        (like_the_parent(allowed_addresses=["192.0.0.0/16"]), False),
        (like_the_parent(constraints={"requests_per_minute": 61}), False),
        (like_the_parent(constraints={"requests_per_minute": None}), False),
        (like_the_parent(constraints={"models": ["gpt-5", "o3"]}), False),
    ],
)
def test_a_key_that_is_held_to_something_holds_others_to_it(
    owner: Principal, fields: dict[str, Any], given: bool
) -> None:
    parent = make_key_principal(owner, "*:*").integration
    assert parent
    parent.allowed_addresses = ["192.0.2.0/24"]
    parent.constraints = {"requests_per_minute": 60, "models": ["gpt-5", "gpt-4"]}
    parent.save()
    text = keys.mint(parent)[1]
    client = Client(headers={"X-API-Key": text}, REMOTE_ADDR="192.0.2.1")
    answer = send(client, "POST", INTEGRATIONS, {"name": "Child"} | fields)
    assert answer.status_code == (201 if given else 403), answer.content
    loosen = send(client, "PATCH", f"{INTEGRATIONS}{parent.pk}/", {"constraints": {}})
    assert problem_of(loosen, 403)["code"] == "beyond_reach"


def test_nobody_makes_a_key_to_somebody_elses_conversations(owner: Principal) -> None:
    admin = make_principal(workspace=owner.workspace, role="admin")
    bell = made(session_client(owner), role="agent")
    client = session_client(admin)
    user = str(owner.user and owner.user.id)
    problem_of(send(client, "POST", INTEGRATIONS, {"name": "Spy", "acts_as": user}), 403)
    for path in (keys_of(bell), f"{keys_of(bell)}rotate/"):
        assert problem_of(send(client, "POST", path, {}), 403)["code"] == "acts_for_another"

    address = f"{INTEGRATIONS}{bell['id']}/"
    assert send(client, "PATCH", address, {"enabled": False, "acts_as": user}).status_code == 200
    taken = send(client, "PATCH", address, {"acts_as": str(admin.user and admin.user.id)}).json()
    assert taken["acts_as"] == str(admin.user and admin.user.id)
    assert send(client, "POST", keys_of(bell), {}).status_code == 201
