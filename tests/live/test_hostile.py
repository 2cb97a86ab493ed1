"""Requests that mean harm: a running Chatcore answers them as its document says, or cuts them, and goes on."""

import contextlib
import functools
import json
import re
import socket
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.api import ROUTES
from tests.live.talking import ask, start
from tests.running import Chatcore

# --- The document, held against the doors --------------------------------------------------------------------


UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def described(one: Chatcore) -> Any:
    return schemathesis.openapi.from_url(f"{one.url}/api/v1/openapi.json")


@pytest.mark.parametrize("name", ROUTES)
def test_no_door_breaks_what_the_document_promises(one: Chatcore, described: Any, name: str) -> None:
    """Whatever is sent: no failure of the server, no status and no body that the document does not have."""
    operation = described.find_operation_by_id(name)
    sensible, senseless = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    headers = {"Authorization": f"Bearer {one.key}"}
    too_strict = [negative_data_rejection, positive_data_acceptance]

    @given(case=one_of(sensible, senseless))
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def ask_anything(case: Any) -> None:
        if UUID.fullmatch(str((case.path_parameters or {}).get("id"))):
            case.path_parameters["id"] = real() if case.method == "DELETE" else always
        case.call_and_validate(headers=headers, excluded_checks=too_strict, timeout=60)

    with one.client() as http:
        real = functools.partial(something_real, http, operation.path)
        always = real()
        ask_anything()


def something_real(http: httpx.Client, path: str) -> str:
    """The id of a new conversation, message or reply, as the path wants it."""
    conversation = start(http)
    if "conversations" in path:
        return conversation
    posted = http.post(f"/api/v1/conversations/{conversation}/messages/", json={"content": "Hello"}).json()
    return str(posted["reply" if "replies" in path else "message"]["id"])


# --- Requests that are none ----------------------------------------------------------------------------------


def exchange(chatcore: Chatcore, request: bytes) -> bytes:
    """What the server says to these bytes until it closes; one that closes first may cut its last words."""
    said = b""
    with (
        socket.create_connection(("127.0.0.1", chatcore.ports[0]), timeout=60) as wire,
        contextlib.suppress(ConnectionError),
    ):
        wire.sendall(request)
        while piece := wire.recv(65_536):
            said += piece
    return said


def request(chatcore: Chatcore, line: str, *headers: str, body: bytes = b"") -> bytes:
    always = ("Host: 127.0.0.1", f"X-API-Key: {chatcore.key}", "Connection: close")
    return "\r\n".join((line, *always, *headers, "", "")).encode() + body


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1])


def problem(said: bytes) -> dict[str, Any]:
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, said[:500]
    found: dict[str, Any] = json.loads(body)
    return found


NO_HTTP = {
    "noise": b"\x00\x01\x02\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "HTTP/9.9": b"GET /healthz HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "a method in small letters": b"get /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a method that is none": b"DANCE /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "letters that are no ASCII": b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    "a length and chunks": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a length below zero": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    "a chunk of no length": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "an address of 200,000 letters": b"GET /?" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_no_http_is_refused_and_cut(one: Chatcore, name: str) -> None:
    said = exchange(one, NO_HTTP[name])
    assert said == b"" or status(said) == 400


SECRETS = (b"root:", b"import os", b"SECRET", b"django")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "//etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../../../etc/passwd",
        "/static/../manage.py",
        "/static/%2e%2e/manage.py",
        "/static/..%2fmanage.py",
        "/static/css/../../../manage.py",
        "/static/..\\..\\manage.py",
        "/static//etc/passwd",
        "/static/%00",
        "/api/v1/%ff%00/",
        "/api/v1/../../../etc/passwd",
        "/%ff%fe",
        "*",
        "http://evil.example/etc/passwd",
    ],
)
def test_no_path_leads_out(one: Chatcore, path: str) -> None:
    said = exchange(one, request(one, f"GET {path} HTTP/1.1"))
    assert status(said) == 404
    assert not any(secret in said for secret in SECRETS)


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PURGE", "PUT", "DELETE"])
def test_a_resource_refuses_other_methods(one: Chatcore, method: str) -> None:
    assert problem(exchange(one, request(one, f"{method} /api/v1/models/ HTTP/1.1")))["status"] == 405


def test_head_is_get_without_a_body(one: Chatcore) -> None:
    said = exchange(one, request(one, "HEAD /api/v1/models/ HTTP/1.1"))
    assert status(said) == 200
    assert said.endswith(b"\r\n\r\n")


def test_headers_that_are_no_text_are_no_error_of_ours(one: Chatcore) -> None:
    odd = b"X-A: \xff\r\nAccept: \xff\r\nPrefer: wait=\xff\r\nCookie: sessionid=\xff; csrftoken=%00; a=b=c;;;\r\n"
    whole = request(one, "GET /api/v1/models/ HTTP/1.1").replace(b"\r\n\r\n", b"\r\n" + odd + b"\r\n")
    assert status(exchange(one, whole)) == 200
    for header in (
        b"Authorization: Bearer \xff\xe4",
        b"X-API-Key: \xff",
        b"X-API-Key: cc_live_" + b"a" * 50_000,
    ):
        asked = b"GET /api/v1/models/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + header
        assert problem(exchange(one, asked + b"\r\n\r\n"))["status"] == 401


def test_ten_thousand_headers_do_no_harm(one: Chatcore) -> None:
    flood = [f"X-{number}: y" for number in range(10_000)]
    assert status(exchange(one, request(one, "GET /api/v1/models/ HTTP/1.1", *flood))) in (200, 400, 431)
    assert httpx.get(f"{one.url}/healthz", timeout=60).status_code == 200


def chunked(body: bytes, size: int = 60_000) -> bytes:
    pieces = [body[place : place + size] for place in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("door", ["messages/", "replies"])
def test_a_body_in_chunks_is_read_whole_and_refused_when_too_large(one: Chatcore, door: str) -> None:
    with one.client() as http:
        line = f"POST /api/v1/conversations/{start(http)}/{door} HTTP/1.1"
    headers = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    small = exchange(one, request(one, line, *headers, body=chunked(b'{"content": "in chunks"}', 5)))
    large = exchange(one, request(one, line, *headers, body=chunked(b'"' + b"x" * 1_500_000 + b'"')))
    assert status(small) in (201, 202)
    assert b"in chunks" in small
    assert problem(large)["status"] == 413


def test_bodies_that_never_come_hold_nobody_up(one: Chatcore) -> None:
    half = request(
        one, "POST /api/v1/conversations/ HTTP/1.1", "Content-Type: application/json", "Content-Length: 99"
    )
    begun = [half + b'{"title": ', half[:-2], half[:30], b"G"]
    wires = [socket.create_connection(("127.0.0.1", one.ports[0])) for _ in range(60)]
    try:
        for number, wire in enumerate(wires):
            wire.sendall(begun[number % len(begun)])
        with one.client() as http:
            assert ask(http, start(http), Prefer="wait=20").status_code == 200
    finally:
        for wire in wires:
            wire.close()


def test_everything_still_works(one: Chatcore) -> None:
    with one.client() as http:
        assert (
            ask(http, start(http), "Still here?", Prefer="wait=20").json()["reply"]["text"].endswith("here?")
        )
