import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from chatcore.accounts.openapi import SECURITY_SCHEMES
from tests.accounts.doors import DOORS, bearer, post_json, tokens_of
from tests.accounts.factories import PASSWORD, make_key_text, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture(params=DOORS, ids=["drf", "ninja"])
def door(request):
    return request.param


def test_a_key_opens_it_in_either_header(door):
    owner = make_member(role="owner")
    text = make_key_text(owner)
    for headers in ({"Authorization": f"Bearer {text}"}, {"X-API-Key": text}):
        answer = Client().get(door, headers=headers)
        assert answer.status_code == 200
        assert answer.json() == {
            "user": owner.email,
            "workspace": str(owner.memberships.get().workspace_id),
            "credential": "key",
        }


def test_a_key_posts_without_a_csrf_token(door):
    client = Client(enforce_csrf_checks=True)
    assert post_json(client, door, headers={"X-API-Key": make_key_text()}).status_code == 200


def test_a_token_opens_it(door):
    user = make_member(password=PASSWORD)
    answer = Client().get(door, **bearer(tokens_of(user.email)["access_token"]))
    assert (answer.json()["user"], answer.json()["credential"]) == (user.email, "token")


def test_a_token_beside_a_key_must_be_of_the_key_s_user(door):
    user, other = make_member(password=PASSWORD), make_member(password=PASSWORD)
    headers = {"X-API-Key": make_key_text(user)}
    answers = [
        Client().get(door, headers=headers | bearer(tokens_of(person.email)["access_token"])["headers"])
        for person in (user, other)
    ]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[0].json()["credential"] == "key"


def test_a_session_opens_it(door, client):
    user = make_member()
    client.force_login(user)
    assert client.get(door).json()["credential"] == "session"


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-API-Key": "cc_live_wrong"}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Bearer "}],
)
def test_strangers_are_told_to_sign_in(door, headers):
    answer = Client().get(door, headers=headers)
    body = answer.json()
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert (body["code"], body["detail"]) == ("unauthenticated", body["title"])
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_session_s_post_needs_the_csrf_token(door):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_member())
    refused = post_json(client, door)
    assert (refused.status_code, refused.json()["status"]) == (403, 403)
    client.get("/accounts/logout/")  # a page with a form brings the cookie
    token = client.cookies["csrftoken"].value
    assert post_json(client, door, headers={"X-CSRFToken": token}).status_code == 200
    assert post_json(client, door, headers={"X-CSRFToken": token[::-1]}).status_code == 403


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_foreign_page_s_plain_form_is_refused(door, content_type):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_member())
    answer = client.post(door, b'{"a": 1}', content_type=content_type)
    assert answer.status_code in (403, 415)


def test_ninja_takes_json_only_also_from_keys():
    headers = {"X-API-Key": make_key_text()}
    for content_type, status in [
        ("text/plain", 415),
        ("application/json; charset=utf-8", 200),
        ("application/json", 200),
    ]:
        answer = Client().post("/api/v1/ninja", b"{}", content_type=content_type, headers=headers)
        assert answer.status_code == status
    assert Client().post("/api/v1/ninja", headers=headers).status_code == 415
    assert Client().generic("POST", "/api/v1/ninja", headers=headers).status_code == 200


def test_a_foreign_workspace_reads_like_an_absent_one(door, client):
    stranger = make_member()
    client.force_login(make_member())
    workspaces = [str(stranger.memberships.get().workspace_id), "0190a7c2-0000-7000-8000-000000000000"]
    answers = [client.get(door, headers={"X-Workspace": workspace}) for workspace in workspaces]
    assert [answer.status_code for answer in answers] == [404, 404]
    bodies = [answer.json() | {"instance": ""} for answer in answers]
    assert bodies[0] == bodies[1]


def test_the_document_offers_any_of_the_ways_in():
    document = SchemaGenerator().get_schema(request=None, public=True)
    assert document["paths"]["/api/v1/drf/"]["get"]["security"] == [{name: []} for name in SECURITY_SCHEMES]
    assert document["components"]["securitySchemes"] == SECURITY_SCHEMES
