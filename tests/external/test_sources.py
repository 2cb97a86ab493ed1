"""Sources over the API and in the admin: secrets go in and never come out, and nobody gets more than they have."""

import html
import json
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from external.models import Fetch, Rejection, ReplyPart, Source
from tests.api import key_client, problem_of, send, session_client
from tests.external.vendors import ACCOUNT, GENERIC, MAP, SLACK, TWILIO, make_source, sample
from tests.factories import make_conversation, make_key_principal, make_principal, make_user

pytestmark = pytest.mark.django_db
SOURCES = "/api/v1/sources/"
SECRET = "a-very-secret-token"


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def body(owner: Principal, *grants: str, **fields: Any) -> dict[str, Any]:
    integration = make_key_principal(owner, *grants).integration
    assert integration
    return {
        "integration": str(integration.id),
        "adapter": "twilio",
        "name": "Support line",
        "secrets": {"auth_token": SECRET},
        "settings": {"account_sid": ACCOUNT},
        **fields,
    }


def test_a_source_is_made_read_changed_and_removed_without_its_secrets(
    owner: Principal, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://chat.example"
    client = session_client(owner)
    made = send(client, "POST", SOURCES, body(owner))
    assert made.status_code == 201, made.content
    address = made["Location"]
    assert made.json()["url"] == f"https://chat.example/in/twilio/{made.json()['id']}/"
    assert made.json()["secrets"] == ["auth_token"]
    changed = send(client, "PATCH", address, {"name": "Night line", "enabled": False})
    assert (changed.json()["name"], changed.json()["enabled"]) == ("Night line", False)
    listed = client.get(SOURCES)
    assert [row["name"] for row in listed.json()["results"]] == ["Night line"]
    for answer in (made, changed, listed, client.get(address)):
        assert SECRET not in answer.content.decode()
    assert Source.objects.get().secrets == {"auth_token": SECRET}
    with connection.cursor() as sql:
        sql.execute("select sealed from external_source")
        assert SECRET not in sql.fetchone()[0]
    assert send(client, "DELETE", address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"adapter": "telegram"}, "/adapter"),
        ({"integration": "0199a2b4-7c1e-7d3f-8a55-0c1d2e3f4a5b"}, "/integration"),
        ({"secrets": {}}, "/secrets/auth_token"),
        ({"secrets": {"auth_token": "x", "colour": "red"}}, "/secrets/colour"),
        ({"secrets": {"auth_token": "a\x00b"}}, "/secrets/auth_token"),
        ({"settings": {}}, "/settings/account_sid"),
        ({"settings": {"account_sid": ACCOUNT, "colour": "red"}}, "/settings/colour"),
        ({"adapter": "generic", "secrets": {}, "settings": {"proof": "key"}}, "/settings/map"),
        (
            {"adapter": "generic", "secrets": {}, "settings": {"proof": "key", "map": {"content": "$["}}},
            "/settings/map/content",
        ),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_what_cannot_be_is_pointed_at(owner: Principal, fields: dict[str, Any], pointer: str) -> None:
    answer = send(session_client(owner), "POST", SOURCES, body(owner, **fields))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not Source.objects.exists()


def test_an_integration_has_one_source_of_a_name(owner: Principal) -> None:
    client, wanted = session_client(owner), body(owner)
    assert send(client, "POST", SOURCES, wanted).status_code == 201
    assert send(client, "POST", SOURCES, wanted).status_code == 409


def test_secrets_do_not_follow_to_another_address(owner: Principal) -> None:
    source = make_source(owner, **TWILIO)
    client, address = session_client(owner), f"{SOURCES}{source.id}/"
    elsewhere = {"account_sid": ACCOUNT, "base_url": "https://elsewhere.example"}
    refused = send(client, "PATCH", address, {"settings": elsewhere})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/secrets")
    moved = send(client, "PATCH", address, {"settings": elsewhere, "secrets": {"auth_token": "theirs"}})
    assert moved.status_code == 200


def test_a_key_makes_no_source_for_an_integration_that_may_do_more(owner: Principal) -> None:
    weak = key_client(owner, "integrations:manage", "messages:write")
    assert send(weak, "POST", SOURCES, body(owner, "messages:write")).status_code == 201
    assert send(weak, "POST", SOURCES, body(owner, "messages:write", "users:provision")).status_code == 403
    strong = make_source(owner, **SLACK)
    change = {"secrets": {"signing_secret": "mine"}}
    assert send(weak, "PATCH", f"{SOURCES}{strong.id}/", change).status_code == 403
    assert Source.objects.get(pk=strong.pk).secrets["signing_secret"] != "mine"


def test_a_source_is_no_way_to_speak_for_somebody_else_or_past_one_s_own_limits(owner: Principal) -> None:
    theirs = body(make_principal(workspace=owner.workspace, role="admin"))
    assert problem_of(send(session_client(owner), "POST", SOURCES, theirs), 403)["code"] == "acts_for_another"
    weak = key_client(owner, "integrations:manage", "messages:write")
    held = Integration.objects.latest("created_at")
    Integration.objects.filter(pk=held.pk).update(constraints={"requests_per_minute": 600})
    wide = body(owner, "messages:write")
    assert problem_of(send(weak, "POST", SOURCES, wide), 403)["code"] == "beyond_reach"
    assert not Source.objects.exists()


def test_an_integration_has_at_most_twenty_sources_of_names_that_can_be_read(owner: Principal) -> None:
    client, first = session_client(owner), body(owner)
    long = problem_of(send(client, "POST", SOURCES, first | {"name": "x" * 101}), 422)
    assert long["errors"][0]["pointer"] == "/name"
    row = Source.objects.get(pk=send(client, "POST", SOURCES, first).json()["id"])
    for number in range(19):
        row.pk, row.name = uuid.uuid4(), f"Line {number}"
        row.save(force_insert=True)
    problem = problem_of(send(client, "POST", SOURCES, first | {"name": "One more"}), 409)
    assert problem["code"] == "too_many_sources"


def test_members_and_strangers_find_no_sources(owner: Principal) -> None:
    source = make_source(owner, **SLACK)
    member = session_client(make_principal(workspace=owner.workspace, role="member"))
    stranger = session_client(make_principal())
    assert member.get(SOURCES).status_code == 403
    assert stranger.get(SOURCES).json()["results"] == []
    assert stranger.get(f"{SOURCES}{source.id}/").status_code == 404


# --- The admin -------------------------------------------------------------------------------------------------


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def shown(answer: Any) -> str:
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def form(source: Source, **fields: Any) -> dict[str, Any]:
    return {
        "integration": str(source.integration_id),
        "name": source.name,
        "adapter": source.adapter,
        "settings": json.dumps(source.settings),
        "enabled": "on",
        **fields,
    }


def test_staff_make_a_source_and_see_what_to_paste_at_the_vendor(owner: Principal, staff: Client) -> None:
    unsaved = Source(integration=make_key_principal(owner, "*:*").integration, name="Line", adapter="twilio")
    unsaved.settings = {"account_sid": ACCOUNT}
    add = reverse("admin:external_source_add")
    assert "Secret: auth token" in shown(staff.get(add))
    refused = shown(staff.post(add, form(unsaved)))
    assert "/secrets/auth_token: must be given" in refused
    assert staff.post(add, form(unsaved, secret_auth_token=SECRET)).status_code == 302
    source = Source.objects.get()
    assert source.secrets == {"auth_token": SECRET}
    page = shown(staff.get(reverse("admin:external_source_change", args=[source.pk])))
    assert source.address in page
    assert SECRET not in page


def test_secrets_left_empty_stay(owner: Principal, staff: Client) -> None:
    source = make_source(owner, **SLACK)
    change = reverse("admin:external_source_change", args=[source.pk])
    assert staff.post(change, form(source, name="Renamed", secret_bot_token="xoxb-2")).status_code == 302
    after = Source.objects.get()
    assert (after.name, after.secrets) == ("Renamed", SLACK["secrets"] | {"bot_token": "xoxb-2"})


def test_a_map_that_is_wrong_is_refused_where_it_is_wrong(owner: Principal, staff: Client) -> None:
    source = make_source(owner, **GENERIC)
    wrong = json.dumps({"map": MAP | {"thread": "$.["}})
    page = shown(
        staff.post(reverse("admin:external_source_change", args=[source.pk]), form(source, settings=wrong))
    )
    assert "/settings/map/thread: is no JSONPath" in page


TRIED = [
    pytest.param(
        "generic_alertmanager.json", ["Disk 93 % full on db-3", "9f5ab1d2c3e4f502", '"severity": "critical"']
    ),
    pytest.param("generic_github_issue.json", ["It was read, and says nothing"]),
]


@pytest.mark.parametrize(("name", "words"), TRIED)
def test_a_pasted_sample_shows_what_it_maps_to(
    owner: Principal, staff: Client, name: str, words: list[str]
) -> None:
    source = make_source(owner, **GENERIC)
    page = reverse("admin:external_source_try", args=[source.pk])
    read = shown(staff.post(page, {"sample": sample(name).decode()}))
    assert all(word in read for word in words), read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "The body is not JSON"),
        ("", "The body is not JSON"),
        ('{"alerts": [{"fingerprint": "1"}]}', "content: Alert:, $.annotations.summary finds nothing"),
    ],
)
def test_a_pasted_sample_that_cannot_be_read_says_why(
    owner: Principal, staff: Client, text: str, words: str
) -> None:
    page = reverse("admin:external_source_try", args=[make_source(owner, **GENERIC).pk])
    assert words in shown(staff.post(page, {"sample": text}))


@pytest.mark.parametrize("fields", [{}, {"is_staff": True}])
def test_who_may_not_change_sources_tries_none(owner: Principal, fields: dict[str, bool]) -> None:
    client = Client()
    client.force_login(make_user(**fields))
    page = reverse("admin:external_source_try", args=[make_source(owner, **GENERIC).pk])
    assert client.post(page, {"sample": "{}"}).status_code in {302, 403}


def test_staff_see_what_was_refused_sent_and_fetched(owner: Principal, staff: Client) -> None:
    source = make_source(owner, **TWILIO)
    message = make_conversation(owner, "Hello").active_leaf
    rejection = Rejection.objects.create(source=source, code="invalid", detail="too long", body="Body=x")
    part = ReplyPart.objects.create(
        source=source,
        message=message,
        part=0,
        text="Hi",
        address={},
        status="failed",
        error="21211 No number",
    )
    fetch = Fetch.objects.create(
        message=message,
        url="https://x.example/a.png",
        name="a.png",
        authorization=f"Bearer {SECRET}",
        error="gone",
    )
    for row, words in ((rejection, "too long"), (part, "21211 No number"), (fetch, "gone")):
        name = f"admin:external_{row._meta.model_name}"
        assert words in shown(staff.get(reverse(f"{name}_changelist")))
        page = shown(staff.get(reverse(f"{name}_change", args=[row.pk])))
        assert words in page
        assert SECRET not in page


def test_another_adapter_keeps_no_secrets_of_the_first(owner: Principal, staff: Client) -> None:
    source = make_source(owner, **SLACK)
    source.adapter, source.settings = "twilio", {"account_sid": ACCOUNT}
    change = reverse("admin:external_source_change", args=[source.pk])
    assert staff.post(change, form(source, secret_auth_token=SECRET)).status_code == 302
    assert Source.objects.get().secrets == {"auth_token": SECRET}
