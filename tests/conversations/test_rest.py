"""The resources of the API: started, read, changed, filtered, deleted."""

import uuid
from typing import Any

import pytest
from django.test import Client

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from chatcore.realtime.models import Event
from conversations.models import Message
from tests.api import CONVERSATIONS, ROUTES, key_client, make_place, of, send, session_client, start
from tests.factories import make_model, make_principal, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


@pytest.fixture(params=[key_client, session_client], ids=["key", "session"])
def http(request: pytest.FixtureRequest, owner: Principal) -> Client:
    client: Client = request.param(owner)
    return client


def test_a_conversation_is_started_read_changed_and_deleted(http: Client) -> None:
    started = send(
        http, "POST", CONVERSATIONS, {"title": "A  trip ", "model": "plain", "params": {"top_p": 1}}
    )
    body = started.json()
    assert started.status_code == 201
    assert started["Location"] == of(body)
    assert body | {"title": "A trip", "model": "plain", "system": "", "params": {"top_p": 1}} == body
    assert (body["active_leaf"], body["pinned"], body["archived"]) == (None, False, False)

    assert http.get(of(body)).json() == body
    assert send(http, "DELETE", of(body)).status_code == 204
    assert http.get(of(body)).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("title", " Kyoto  in April ", "Kyoto in April"),
        ("model", "plain", "plain"),
        ("model", None, None),
        ("system", "  Be brief.\n", "  Be brief.\n"),
        ("system", "", ""),
        ("params", {"temperature": 0.5, "stop": ["\n"]}, {"temperature": 0.5, "stop": ["\n"]}),
        ("archived", True, True),
        ("archived", False, False),
        ("pinned", True, True),
        ("pinned", False, False),
    ],
)
def test_one_field_is_changed_and_the_others_stay(http: Client, field: str, value: Any, shown: Any) -> None:
    before = start(http, title="Before", model="plain", system="Old", params={"a": 1})

    answer = send(http, "PATCH", of(before), {field: value})

    assert answer.status_code == 200
    assert answer.json() == before | {field: shown} == http.get(of(before)).json()


def test_several_changes_are_made_together_or_not_at_all(http: Client) -> None:
    before = start(http, title="Before")
    refused = send(http, "PATCH", of(before), {"title": "After", "pinned": True, "model": "no-such"})
    assert refused.status_code == 422
    assert http.get(of(before)).json() == before
    assert send(http, "PATCH", of(before), {"title": "After", "pinned": True}).json()["pinned"]


def test_the_list_shows_open_archived_pinned_ones_and_those_with_a_word_in_the_title(http: Client) -> None:
    plain = start(http, title="Kyoto, the 100% plan")
    pinned = start(http, title="Osaka")
    archived = start(http, title="Nara")
    send(http, "PATCH", of(pinned), {"pinned": True})
    send(http, "PATCH", of(archived), {"archived": True})

    def listed(**query: str) -> set[str]:
        return {row["title"] for row in http.get(CONVERSATIONS, query).json()["results"]}

    assert listed() == listed(archived="false") == {plain["title"], "Osaka"}
    assert listed(archived="TRUE") == {"Nara"}
    assert listed(pinned="true") == {"Osaka"}
    assert listed(pinned="false") == {plain["title"]}
    assert listed(title="kyOTO") == listed(title="0%") == {plain["title"]}
    assert listed(title="K_oto") == set()
    assert listed(title="a", pinned="true") == {"Osaka"}


@pytest.mark.parametrize(
    "query", ["archived=maybe", "archived=", "pinned=1", "title=%00", f"title={'a' * 201}", "page_size=0"]
)
def test_a_filter_that_makes_no_sense_is_named(http: Client, query: str) -> None:
    answer = http.get(f"{CONVERSATIONS}?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


def test_a_message_is_posted_with_and_without_a_reply_read_and_deleted(
    http: Client, owner: Principal
) -> None:
    conversation = start(http)
    asked = send(http, "POST", of(conversation, "messages/"), {"content": " Hello\n", "params": {"top_p": 1}})
    told = send(http, "POST", of(conversation, "messages/"), {"content": "By the way", "respond": False})

    assert (asked.status_code, told.status_code) == (201, 201)
    message, reply = asked.json()["message"], asked.json()["reply"]
    assert (message["text"], message["status"], message["parent"]) == (" Hello\n", "done", None)
    assert (reply["status"], reply["parent"], reply["model"]) == ("queued", message["id"], "plain")
    assert asked.json()["status_url"] == f"/api/v1/messages/{reply['id']}/"
    assert Message.objects.get(id=reply["id"]).params == {"top_p": 1}
    assert (told.json()["reply"], told.json()["status_url"]) == (None, None)
    assert told.json()["message"]["parent"] == reply["id"]
    assert http.get(asked.json()["status_url"]).json() == reply

    address = f"/api/v1/messages/{told.json()['message']['id']}/"
    assert send(http, "DELETE", address).status_code == 204
    assert http.get(address).status_code == 404
    assert send(http, "DELETE", f"/api/v1/messages/{message['id']}/").json()["code"] == "reply_running"


@pytest.mark.parametrize("door", ["messages/", "replies"])
def test_a_message_without_parent_goes_to_the_end_one_with_null_begins_anew(http: Client, door: str) -> None:
    conversation = start(http)
    address = of(conversation, door)
    first = send(http, "POST", address, {"content": "One"}).json()
    below = send(http, "POST", address, {"content": "Two", "model": None, "client_id": None}).json()
    beside = send(http, "POST", address, {"content": "Another beginning", "parent": None}).json()
    named = send(http, "POST", address, {"content": "Three", "parent": first["message"]["id"]}).json()

    assert below["message"]["parent"] == first["reply"]["id"]
    assert beside["message"]["parent"] is None
    assert named["message"]["parent"] == first["message"]["id"]


def test_the_same_client_id_gives_the_same_message_again(http: Client) -> None:
    conversation = start(http)
    body = {"content": "Once", "client_id": str(uuid.uuid4())}
    first, second = (send(http, "POST", of(conversation, "messages/"), body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


@pytest.mark.parametrize(
    ("name", "body", "pointer"),
    [
        ("start_conversation", {"titel": "x"}, "/titel"),
        ("start_conversation", {"archived": True}, "/archived"),
        ("start_conversation", {"title": 5}, "/title"),
        ("change_conversation", {"title": None}, "/title"),
        ("change_conversation", {"title": "  "}, "/title"),
        ("change_conversation", {"pinned": "yes"}, "/pinned"),
        ("change_conversation", {"params": []}, "/params"),
        ("change_conversation", {"params": {"temperature": 3}}, "/params/temperature"),
        ("change_conversation", {"params": {"a/b": {"~": "\x00"}}}, "/params/a~1b/~0"),
        ("change_conversation", {"owner": str(uuid.uuid4())}, "/owner"),
        ("post_message", {"content": "x", "author": "assistant"}, "/author"),
        ("post_message", {"content": "x", "client_id": 7}, "/client_id"),
        ("post_message", {"content": "x", "parent": str(uuid.uuid4())}, "/parent"),
        ("post_message", {"content": "x", "model": "no-such"}, "/model"),
        ("post_message", {}, "/content"),
        ("ask", {"content": "x", "respond": False}, "/respond"),
        ("ask", {"content": "x", "model": "\x00"}, "/model"),
        ("ask", {"content": ""}, "/content"),
        ("edit_message", {"content": "x", "params": {}}, "/params"),
        ("regenerate", {"content": "x"}, "/content"),
        ("regenerate", {"model": "\ud800"}, "/model"),
    ],
)
def test_what_cannot_be_accepted_is_named_and_nothing_is_stored(
    http: Client, owner: Principal, name: str, body: dict[str, Any], pointer: str
) -> None:
    place = make_place(owner)
    before = Event.objects.count()
    route = ROUTES[name]
    answer = send(http, route.method, route.address(place.ids), body)
    assert answer.status_code == 422
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]
    assert Event.objects.count() == before


def test_a_browser_is_shown_pages_to_browse(owner: Principal) -> None:
    place, client = make_place(owner), session_client(owner)
    for name in ("list_conversations", "read_conversation", "list_messages", "read_message", "list_models"):
        answer = client.get(ROUTES[name].address(place.ids), headers={"Accept": "text/html,*/*;q=0.8"})
        assert answer["Content-Type"].startswith("text/html")
        assert answer.status_code == 200


def names(client: Client) -> list[str]:
    return [row["name"] for row in client.get("/api/v1/models/").json()["results"]]


def test_the_models_are_those_of_the_readers_role_and_workspace(owner: Principal) -> None:
    here, elsewhere = make_model("here"), make_model("elsewhere")
    for_admins, disabled = make_model("for-admins"), make_model("disabled")
    here.workspace, elsewhere.workspace = owner.workspace, make_workspace()
    for_admins.visible_to, disabled.enabled = ["owner", "admin"], False
    for model in (here, elsewhere, for_admins, disabled):
        model.save()
    member = make_principal(workspace=owner.workspace, role=Membership.Role.MEMBER)

    assert names(session_client(owner)) == ["for-admins", "here", "plain"]
    assert names(session_client(member)) == names(key_client(member)) == ["here", "plain"]
    assert names(key_client(owner, "models:read", "models:use:for-*")) == ["for-admins"]
    assert key_client(owner, "conversations:read").get("/api/v1/models/").status_code == 403
