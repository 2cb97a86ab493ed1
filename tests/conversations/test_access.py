"""Who may what at the API: the same table of operations walked as owner, teammate, stranger, and with narrower keys."""

from typing import Any

import pytest

from chatcore.accounts.principals import Principal
from chatcore.realtime.models import Event
from conversations.models import Conversation, Message
from tests.api import (
    CONVERSATIONS,
    NOWHERE,
    ROUTES,
    Place,
    key_client,
    make_client,
    make_place,
    of,
    send,
    session_client,
)
from tests.factories import make_model, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


ASKERS = {
    "teammate": lambda owner: make_principal(workspace=owner.workspace),
    "stranger": lambda owner: make_principal(),
    "owner elsewhere": lambda owner: make_principal(user=owner.user),
}
OF_SOMEBODY = sorted(name for name, route in ROUTES.items() if route.is_of_somebody)
OF_WORKSPACE = sorted(name for name, route in ROUTES.items() if route.is_of_workspace)


@pytest.mark.parametrize("name", ROUTES)
def test_its_owner_may(owner: Principal, name: str) -> None:
    answer = ROUTES[name].ask(key_client(owner), make_place(owner).ids)
    assert answer.status_code == ROUTES[name].status, answer.content


@pytest.mark.parametrize("client", [key_client, session_client])
@pytest.mark.parametrize("who", ASKERS)
def test_to_others_it_is_as_absent_as_what_never_was(owner: Principal, client: Any, who: str) -> None:
    place = make_place(owner)
    before = state(place)
    asker = client(ASKERS[who](owner))

    for name in OF_SOMEBODY if who == "teammate" else OF_SOMEBODY + OF_WORKSPACE:
        foreign, absent = (ROUTES[name].ask(asker, ids) for ids in (place.ids, NOWHERE))

        assert (name, foreign.status_code, absent.status_code) == (name, 404, 404)
        assert without_instance(foreign) == without_instance(absent)
        assert headers_of(foreign) == headers_of(absent)
    assert state(place) == before


def state(place: Place) -> tuple[Any, ...]:
    conversation = Conversation.objects.filter(id=place.conversation.id).values().get()
    return conversation, list(Message.objects.order_by("id").values()), Event.objects.count()


def without_instance(answer: Any) -> bytes:
    instance = answer.json()["instance"].encode()
    assert instance == answer["X-Request-Id"].encode()
    content: bytes = answer.content
    return content.replace(instance, b"")


def headers_of(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.items() if name not in ("X-Request-Id", "RateLimit")}


def test_nobody_gets_in_without_a_key_or_session(owner: Principal) -> None:
    place = make_place(owner)
    before = state(place)
    for name, route in ROUTES.items():
        answer = route.ask(make_client(), place.ids)
        assert (name, answer.status_code) == (name, 401)
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert state(place) == before


def test_the_lists_of_others_stay_empty(owner: Principal) -> None:
    make_place(owner)
    for asker in ASKERS.values():
        for client in (key_client, session_client):
            assert client(asker(owner)).get(CONVERSATIONS).json()["results"] == []


@pytest.mark.parametrize("name", sorted(name for name, route in ROUTES.items() if route.method != "GET"))
def test_writing_with_a_session_needs_the_csrf_token(owner: Principal, name: str) -> None:
    place = make_place(owner)
    client = session_client(owner, enforce_csrf_checks=True)
    refused = ROUTES[name].ask(client, place.ids)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")

    client.get("/accounts/logout/")  # a page with a form brings the cookie
    token = client.cookies["csrftoken"].value
    headers = {"X-CSRFToken": token, "X-Workspace": str(owner.workspace.id)}
    allowed = ROUTES[name].ask(client, place.ids, headers=headers)
    assert allowed.status_code == (403 if ROUTES[name].of_integrations else ROUTES[name].status)


# The grant that opens each operation. A key needs no other to do it.
GRANTS = {
    "list_conversations": "conversations:read",
    "start_conversation": "conversations:write",
    "read_conversation": "conversations:read",
    "change_conversation": "conversations:write",
    "delete_conversation": "conversations:write",
    "list_messages": "messages:read",
    "post_message": "messages:write",
    "read_message": "messages:read",
    "delete_message": "messages:write",
    "upload_attachment": "messages:write",
    "read_attachment": "messages:read",
    "read_attachment_content": "messages:read",
    "delete_attachment": "messages:write",
    "list_models": "models:read",
    "add_model": "models:write",
    "read_model": "models:read",
    "change_model": "models:write",
    "list_parameters": "models:read",
    "remove_model": "models:write",
    "list_providers": "providers:read",
    "add_provider": "providers:write",
    "read_provider": "providers:read",
    "change_provider": "providers:write",
    "refresh_provider": "providers:write",
    "remove_provider": "providers:write",
    "list_deployments": "models:write",
    "add_deployment": "models:write",
    "read_deployment": "models:write",
    "change_deployment": "models:write",
    "remove_deployment": "models:write",
    "ask": "messages:write",
    "edit_message": "messages:write",
    "regenerate": "replies:write",
    "retry": "replies:write",
    "continue_reply": "replies:write",
    "stop": "replies:write",
    "choose": "replies:write",
    "list_comparisons": "messages:read",
    "follow_reply": "messages:read",
    "list_events": "messages:read",
    "say_typing": "messages:write",
    "acknowledge": "messages:read",
    "read_presence": "conversations:read",
    "list_receipts": "messages:read",
    "list_integrations": "integrations:manage",
    "create_integration": "integrations:manage",
    "read_integration": "integrations:manage",
    "change_integration": "integrations:manage",
    "remove_integration": "integrations:manage",
    "list_keys": "integrations:manage",
    "create_key": "integrations:manage",
    "rotate_key": "integrations:manage",
    "read_key": "integrations:manage",
    "revoke_key": "integrations:manage",
    "post_external_message": "messages:write",
    "post_batch": "messages:write",
    "read_external_message": "messages:read",
    "list_usage": "usage:read",
    "summarise_usage": "usage:read",
    "list_budgets": "budgets:read",
    "add_budget": "budgets:write",
    "read_budget": "budgets:read",
    "change_budget": "budgets:write",
    "remove_budget": "budgets:write",
    "list_authenticators": "integrations:manage",
    "add_authenticator": "integrations:manage",
    "read_authenticator": "integrations:manage",
    "change_authenticator": "integrations:manage",
    "remove_authenticator": "integrations:manage",
    "list_identities": "identities:read",
    "add_identity": "identities:write",
    "read_identity": "identities:read",
    "change_identity": "identities:verify",
    "remove_identity": "identities:write",
    "list_schedules": "schedules:read",
    "add_schedule": "schedules:write",
    "read_schedule": "schedules:read",
    "change_schedule": "schedules:write",
    "remove_schedule": "schedules:write",
    "list_schedule_runs": "schedules:read",
    "list_webhooks": "webhooks:manage",
    "add_webhook": "webhooks:manage",
    "read_webhook": "webhooks:manage",
    "change_webhook": "webhooks:manage",
    "remove_webhook": "webhooks:manage",
    "challenge_webhook": "webhooks:manage",
    "disable_webhook": "webhooks:manage",
    "rotate_webhook_secret": "webhooks:manage",
    "redeliver_all": "webhooks:manage",
    "list_deliveries": "webhooks:manage",
    "read_delivery": "webhooks:manage",
    "redeliver": "webhooks:manage",
    "confirm_delivery": "webhooks:confirm",
    "list_sources": "integrations:manage",
    "add_source": "integrations:manage",
    "read_source": "integrations:manage",
    "change_source": "integrations:manage",
    "remove_source": "integrations:manage",
}
# What a key needs to reach the thing at all where that is of another integration.
REACH = {name: ("integrations:manage",) for name in ROUTES if "schedule" in name}
OTHER_GRANTS = sorted({*GRANTS.values()})


@pytest.mark.parametrize("name", ROUTES)
def test_a_key_needs_one_grant_and_no_other(owner: Principal, name: str) -> None:
    place = make_place(owner)
    others = [grant for grant in OTHER_GRANTS if grant != GRANTS[name]]
    refused = ROUTES[name].ask(key_client(owner, *others, "models:use"), place.ids)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")

    key = key_client(owner, GRANTS[name], "models:use", *REACH.get(name, ()))
    allowed = ROUTES[name].ask(key, place.ids)
    assert allowed.status_code == ROUTES[name].status, allowed.content


@pytest.mark.parametrize("name", OF_SOMEBODY)
def test_a_key_for_one_conversation_opens_that_one_only(owner: Principal, name: str) -> None:
    mine, other = make_place(owner), make_place(owner)
    key = key_client(owner, f"{GRANTS[name]}:{mine.conversation.id}", "models:use")

    closed, absent = (ROUTES[name].ask(key, ids) for ids in (other.ids, NOWHERE))
    assert closed.status_code == 404
    assert without_instance(closed) == without_instance(absent)
    assert ROUTES[name].ask(key, mine.ids).status_code == ROUTES[name].status


def test_a_key_for_one_conversation_lists_that_one_and_starts_none(owner: Principal) -> None:
    mine, _ = make_place(owner), make_place(owner)
    selector = str(mine.conversation.id)
    key = key_client(owner, f"conversations:read:{selector}", f"conversations:write:{selector}")
    assert [row["id"] for row in key.get(CONVERSATIONS).json()["results"]] == [selector]
    assert send(key, "POST", CONVERSATIONS, {}).status_code == 403


def test_a_key_that_acts_for_nobody_owns_and_sees_nothing(owner: Principal) -> None:
    place = make_place(owner)
    nobody = Principal(None, owner.workspace, None, frozenset(), "")
    key = key_client(nobody)
    assert key.get(CONVERSATIONS).json()["results"] == []
    assert key.get(of(place.conversation)).status_code == 404
    assert send(key, "POST", CONVERSATIONS, {}).status_code == 403
