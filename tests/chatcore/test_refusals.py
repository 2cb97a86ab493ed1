"""Requests that make no sense, or mean harm: each is refused by a problem document, in the same way at both halves."""

import re

import pytest
from django.test import Client

from chatcore import problems
from tests.api import (
    ROUTES,
    TAKING_A_BODY,
    Place,
    Route,
    key_client,
    make_client,
    make_place,
    problem_of,
    send,
)
from tests.factories import make_model, make_principal

HOSTILE: dict[str, tuple[bytes, int]] = {
    "nothing that is JSON": (b"{content: yes}", 400),
    "half of it": (b'{"content": "x"', 400),
    "more behind it": (b'{"content": "x"} x', 400),
    "invalid UTF-8": (b'{"content": "\xff\xfe"}', 400),
    "UTF-16": ('{"content": "x"}'.encode("utf-16"), 400),
    "NaN": (b'{"params": {"a": NaN}}', 400),
    "infinity": (b'{"params": {"a": -Infinity}}', 400),
    "deep arrays": (b"[" * 100_000, 400),
    "deep objects": (b'{"a":' * 100_000, 400),
    "a number of 5,000 digits": (b'{"params": {"a": ' + b"9" * 5_000 + b"}}", 400),
    "more than a megabyte": (b'{"content": "' + b"x" * 1_100_000 + b'"}', 413),
    "an array": (b"[]", 422),
    "a number": (b"7", 422),
    "a text": (b'"content"', 422),
    "NUL in a name": (b'{"\\u0000": 1}', 422),
    "a lone surrogate in a name": (b'{"\\ud800": 1}', 422),
    "a hundred thousand unknown fields": (
        b'{"a":1' + b"".join(b',"%d":1' % n for n in range(90_000)) + b"}",
        422,
    ),
}


@pytest.fixture
def place(db: None) -> Place:
    make_model()
    return make_place(make_principal())


@pytest.fixture
def http(place: Place) -> Client:
    owner = place.conversation.owner
    return key_client(make_principal(owner, place.conversation.workspace))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_refused_in_the_same_way_everywhere(http: Client, place: Place, name: str) -> None:
    body, status = HOSTILE[name]
    for operation in TAKING_A_BODY:
        route = ROUTES[operation]
        problem = problem_of(send(http, route.method, route.address(place.ids), body), status)
        assert len(problem.get("errors", [])) <= problems.NAMED_PROBLEMS
        assert len(problem["detail"]) < 5_000


VALUES: dict[str, tuple[bytes, int]] = {
    "no text": (b'{"content": 5}', 422),
    "null": (b'{"content": null}', 422),
    "nothing": (b'{"content": ""}', 422),
    "NUL": (b'{"content": "a\\u0000b"}', 422),
    "a lone surrogate": (b'{"content": "\\ud800"}', 422),
    "too long": (b'{"content": "' + b"x" * 32_001 + b'"}', 422),
    "twice, the last without sense": (b'{"content": "x", "content": 1}', 422),
    "a model with NUL": (b'{"content": "x", "model": "\\u0000"}', 422),
    "a model with a surrogate": (b'{"content": "x", "model": "\\udfff"}', 422),
    "a model of a name too long": (b'{"content": "x", "model": "' + b"m" * 100_000 + b'"}', 422),
    "a pair of surrogates": (b'{"content": "\\ud83d\\ude00"}', 200),
    "a mark of byte order": (b'\xef\xbb\xbf{"content": "x"}', 200),
}
# Not of an edited message: one with files may do without words.
PARAMS: dict[str, tuple[bytes, int]] = {
    "white space": (b'{"content": " \\n "}', 422),
    "a number beyond every float": (b'{"content": "x", "params": {"a": 1e999}}', 422),
    "a number of 4,000 digits": (b'{"content": "x", "params": {"a": ' + b"9" * 4_000 + b"}}", 200),
    "too deep": (b'{"content": "x", "params": {"a": ' + b"[" * 600 + b"]" * 600 + b"}}", 422),
    "too many": (
        b'{"content": "x", "params": {"a": 1' + b"".join(b', "%d": 1' % n for n in range(50)) + b"}}",
        422,
    ),
    "params with NUL": (b'{"content": "x", "params": {"a": ["\\u0000"]}}', 422),
    "params with a surrogate": (b'{"content": "x", "params": {"\\ud800": 1}}', 422),
    "params that are none": (b'{"content": "x", "params": [1]}', 422),
    "a client_id that is a number": (b'{"content": "x", "client_id": 1}', 422),
    "a parent that is no id": (b'{"content": "x", "parent": "x"}', 422),
}


@pytest.mark.parametrize("name", [*VALUES, *PARAMS])
def test_both_halves_judge_a_message_alike(http: Client, place: Place, name: str) -> None:
    body, status = (VALUES | PARAMS)[name]
    for operation in ("post_message", "ask", "edit_message")[: 3 if name in VALUES else 2]:
        answer = send(http, "POST", ROUTES[operation].address(place.ids), body)
        if status < 300:
            assert answer.status_code in (201, 202), answer.content
        else:
            assert problem_of(answer, status)["errors"][0]["pointer"].startswith("/")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/plain", 415),
        ("", 415),
        ("application/xml", 415),
        ("application/problem+json", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-www-form-urlencoded", 415),
        ("APPLICATION/JSON", 202),
        ("application/json; charset=utf-8", 202),
        ("application/json; charset=utf-16", 202),
        ("application/json; charset=rot13", 202),
        ("application/json; charset=unicode_escape", 202),
    ],
)
def test_a_body_is_json_in_utf_8_whatever_its_header_claims(
    http: Client, place: Place, content_type: str, status: int
) -> None:
    body = {"content": "Grüße \\u0041"}
    for operation in ("post_message", "ask"):
        address = ROUTES[operation].address(place.ids)
        answer = send(http, "POST", address, body, content_type=content_type)
        if status == 415:
            problem_of(answer, 415)
        else:
            assert answer.json()["message"]["text"] == "Grüße \\u0041"


@pytest.mark.parametrize("accept", ["application/xml", "garbage", "a/b;q=x,,,", "*/*;q=0", "image/png"])
def test_whatever_a_client_accepts_it_gets_json(http: Client, place: Place, accept: str) -> None:
    for operation in ("list_conversations", "read_conversation", "ask"):
        answer = ROUTES[operation].ask(http, place.ids)
        assert answer["Content-Type"] == "application/json"
        refused = send(http, "DELETE", ROUTES["list_models"].address({}), headers={"Accept": accept})
        problem_of(refused, 405)


def test_an_unknown_format_in_the_query_is_no_error(http: Client) -> None:
    assert http.get("/api/v1/conversations/?format=xml").json()["results"]


def shape(path: str) -> str:
    """Without the names of what it names."""
    return re.sub(r"<\w+>", "<>", path)


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "DANCE"]
)
def test_a_method_that_an_address_does_not_take_is_refused_there(
    http: Client, place: Place, method: str
) -> None:
    addresses = {route.path for route in ROUTES.values()}
    for address in sorted(addresses):
        taken = {route.method for route in ROUTES.values() if shape(route.path) == shape(address)}
        if method not in (taken | {"HEAD"} if "GET" in taken else taken):
            answer = send(http, method, Route(method, address).address(place.ids))
            assert answer.status_code == 405
            assert taken <= {name.strip() for name in answer["Allow"].split(",")}
            if method != "HEAD":
                problem_of(answer, 405)


ABSENT = [
    "/api",
    "/api/",
    "/api/v1/",
    "/api/v1/nothing",
    "/api/v1/conversations",
    "/api/v1/conversations/<conversation>",
    "/api/v1/conversations/<conversation>/messages",
    "/api/v1/conversations/<conversation>/replies/",
    "/api/v1/conversations/not-an-id/",
    "/api/v1/messages/<message>/edit/",
    "/api/v1/replies/<reply>/",
    "/api/v1/models",
    "/api/v1/../../etc/passwd",
    "/api/v1/conversations/%2e%2e/%00/",
    "/events",
    "/in",
    "/v1",
    "/v1/nothing",
]


@pytest.mark.parametrize("address", ABSENT)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_where_nothing_is_there_is_a_problem_and_no_redirect(
    place: Place, http: Client, address: str, method: str
) -> None:
    for name, value in place.ids.items():
        address = address.replace(f"<{name}>", value)
    for client in (http, make_client(enforce_csrf_checks=True)):
        problem_of(send(client, method, address, {"content": "x"} if method == "POST" else None), 404)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_speaks_plain_http_to_a_live_door_reads_what_to_do(db: None, method: str) -> None:
    client = make_client(enforce_csrf_checks=True)
    assert "/events/ with a key" in problem_of(send(client, method, "/events"), 404)["detail"]
    for address in ("/ws", "/ws/"):
        answer = send(client, method, address)
        problem = problem_of(answer, 426)
        assert "speaks WebSocket" in problem["detail"]
        assert (problem["code"], answer["Upgrade"]) == ("upgrade_required", "websocket")


@pytest.mark.parametrize("address", ["/api/v1/openapi.json", "/api/docs", "/api/docs/errors"])
def test_the_reference_is_only_read(address: str, db: None) -> None:
    client = make_client(enforce_csrf_checks=True)
    assert client.get(address).status_code == client.head(address).status_code == 200
    for method in ("POST", "PUT", "DELETE", "TRACE"):
        problem_of(send(client, method, address, {}), 405)
