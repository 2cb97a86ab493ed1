"""What the client makes of networks and servers that fail: nothing is lost, doubled, or tried for ever."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from chatcore_client import (
    BadRequest,
    ChatcoreError,
    Conflict,
    Forbidden,
    Invalid,
    NotConnected,
    NotFound,
    RateLimited,
    Resync,
    Retry,
    ServerFailed,
    TooLarge,
    TransportFailed,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from tests.client.wire import HOLD, RESET, Wire, answer, problem
from tests.servers import free_port

Connect = Callable[..., Any]
AT = "2026-04-01T12:00:00+00:00"
CONVERSATION = {"id": "c", "title": "T", "created_at": AT, "last_message_at": AT}
MESSAGE = {
    "id": "m",
    "conversation": "c",
    "parent": None,
    "author": "user",
    "text": "Hi",
    "status": "done",
    "created_at": AT,
}
UNAVAILABLE = problem(503, "unavailable", retryable=True)


def test_a_problem_is_told_whole(connect: Connect) -> None:
    errors = [{"pointer": "/title", "detail": "too long", "code": "too_long"}]
    with Wire(answer(422, problem(422, "invalid", errors=errors))) as wire:
        client = connect(wire.url)
        with pytest.raises(Invalid) as caught:
            client.conversations.create(title="…")
    error = caught.value
    assert (error.status, error.code, error.request_id, error.retryable) == (422, "invalid", "req_1", False)
    assert [(item.pointer, item.code) for item in error.errors] == [("/title", "too_long")]
    assert error.problem["detail"] == str(error) == "Invalid"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (405, ChatcoreError),
        (409, Conflict),
        (410, Resync),
        (413, TooLarge),
        (422, Invalid),
        (429, RateLimited),
        (500, ServerFailed),
        (503, Unavailable),
    ],
)
def test_each_status_is_an_error_of_its_own(connect: Connect, status: int, kind: type[ChatcoreError]) -> None:
    with Wire(answer(status, b"<html>", X_Request_Id="req_7")) as wire:
        client = connect(wire.url, retry=Retry(times=0))
        with pytest.raises(ChatcoreError) as caught:
            client.messages.get("m")
    assert (type(caught.value), caught.value.status, caught.value.request_id) == (kind, status, "req_7")


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"id": "c"}', b"[]", b"[" * 100_000, b'{"id": "c", "created_at": 5}']
)
def test_an_answer_that_is_no_chatcore_s_is_said_to_be(connect: Connect, body: bytes) -> None:
    with Wire(answer(200, body)) as wire:
        client = connect(wire.url)
        with pytest.raises(UnexpectedAnswer):
            client.conversations.get("c")
    assert len(wire.requests) == 1


def test_a_redirect_is_not_followed_with_the_key(connect: Connect) -> None:
    with Wire() as other, Wire(answer(301, Location=other.url)) as wire:
        client = connect(wire.url)
        with pytest.raises(ChatcoreError):
            client.conversations.get("c")
    assert not other.requests


def test_what_is_new_in_an_answer_is_kept(connect: Connect) -> None:
    with Wire(answer(200, CONVERSATION | {"mood": "good"})) as wire:
        found = connect(wire.url).conversations.get("c")
    assert found.extra == {"mood": "good"}
    assert found.created_at == datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_an_id_leads_to_no_other_address(connect: Connect) -> None:
    with Wire(answer(404)) as wire:
        client = connect(wire.url)
        with pytest.raises(NotFound):
            client.conversations.get("../../admin?x=#")
    assert wire.requests[0].target == "/api/v1/conversations/..%2F..%2Fadmin%3Fx%3D%23/"


def test_whoever_asks_says_who(connect: Connect) -> None:
    tokens = iter(["first", "second"])
    with Wire(answer(200, CONVERSATION), answer(200, CONVERSATION)) as wire:
        client = connect(wire.url, key=None, token=lambda: next(tokens), workspace="w")
        client.conversations.get("c")
        client.conversations.get("c")
    assert [request.headers["authorization"] for request in wire.requests] == [
        "Bearer first",
        "Bearer second",
    ]
    assert wire.requests[0].headers["x-workspace"] == "w"


@pytest.mark.parametrize("secrets", [{"key": None}, {"key": "k", "token": "t"}])
def test_either_a_key_or_a_token(shell: Any, secrets: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either"):
        shell("http://127.0.0.1", **secrets)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_refused(shell: Any, url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        shell(url, key="k")


def test_a_key_that_is_none_is_refused_without_telling_it(shell: Any) -> None:
    with pytest.raises(ValueError, match="character") as caught:
        shell("http://127.0.0.1", key="cc_live_secret\n")
    assert "secret" not in str(caught.value)


# --- Trying again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(connect: Connect, status: int) -> None:
    with Wire(answer(status, Retry_After="0"), answer(status), answer(200, CONVERSATION)) as wire:
        assert connect(wire.url).conversations.get("c").id == "c"
    assert len(wire.requests) == 3


@pytest.mark.parametrize(
    "failure", [[RESET], [b""], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"], [b"\0\0\r\n\r\n"]]
)
def test_a_cut_connection_is_tried_again(connect: Connect, failure: list[Any]) -> None:
    with Wire(failure, answer(200, CONVERSATION)) as wire:
        assert connect(wire.url).conversations.get("c").id == "c"


def test_a_silent_server_is_tried_again(connect: Connect) -> None:
    with Wire([HOLD], answer(200, CONVERSATION)) as wire:
        assert connect(wire.url, timeout=0.2).conversations.get("c").id == "c"


def test_it_gives_up_in_the_end(connect: Connect) -> None:
    with Wire(*(answer(503, UNAVAILABLE) for _ in range(3)), answer(200, CONVERSATION)) as wire:
        client = connect(wire.url, retry=Retry(times=2, base=0))
        with pytest.raises(Unavailable) as caught:
            client.conversations.get("c")
    assert caught.value.retryable
    assert len(wire.requests) == 3


def test_a_server_that_asks_for_too_long_is_not_waited_for(connect: Connect) -> None:
    with Wire(answer(429, Retry_After="3600"), answer(200, CONVERSATION)) as wire:
        client = connect(wire.url)
        with pytest.raises(RateLimited) as caught:
            client.conversations.get("c")
    assert caught.value.retry_after == 3600
    assert len(wire.requests) == 1


def test_a_date_to_come_back_is_understood(connect: Connect) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    with Wire(answer(503, Retry_After=date)) as wire:
        client = connect(wire.url)
        with pytest.raises(Unavailable) as caught:
            client.conversations.get("c")
    assert 3590 < (caught.value.retry_after or 0) <= 3600


def test_no_server_at_all(connect: Connect) -> None:
    client = connect(f"http://127.0.0.1:{free_port()}", retry=Retry(times=1, base=0))
    with pytest.raises(NotConnected) as caught:
        client.conversations.get("c")
    assert caught.value.retryable
    assert caught.value.status is None


def test_a_post_is_tried_again_under_the_same_client_id(connect: Connect) -> None:
    posted = {"message": MESSAGE, "reply": None, "status_url": None}
    with Wire([RESET], answer(503, UNAVAILABLE, Retry_After="0"), answer(201, posted)) as wire:
        assert connect(wire.url).messages.post("c", "Hi").message.id == "m"
    sent = {request.json["client_id"] for request in wire.requests}
    assert len(wire.requests) == 3
    assert len(sent) == 1
    assert uuid.UUID(sent.pop())


@pytest.mark.parametrize("failure", [[RESET], answer(503, UNAVAILABLE, Retry_After="0")], ids=["cut", "503"])
def test_what_cannot_be_repeated_is_not(connect: Connect, failure: Any) -> None:
    with Wire(list(failure), answer(201, CONVERSATION)) as wire:
        client = connect(wire.url)
        with pytest.raises((TransportFailed, Unavailable)):
            client.conversations.create()
    assert len(wire.requests) == 1


def test_a_refused_post_that_was_not_done_is_repeated(connect: Connect) -> None:
    with Wire(answer(429, Retry_After="0"), answer(201, CONVERSATION)) as wire:
        assert connect(wire.url).conversations.create().id == "c"


def test_what_an_earlier_try_deleted_is_deleted(connect: Connect) -> None:
    with Wire([RESET], answer(404, problem(404, "not_found"))) as wire:
        assert connect(wire.url).conversations.delete("c") is None
    with Wire(answer(404, problem(404, "not_found"))) as wire:
        client = connect(wire.url)
        with pytest.raises(NotFound):
            client.conversations.delete("c")


def test_pages_are_followed_by_their_query_alone(connect: Connect) -> None:
    with Wire() as other:
        pages = [
            {
                "results": [CONVERSATION],
                "next": f"{other.url}/api/v1/conversations/?cursor=a%2Bb&page_size=1",
            },
            {"results": [CONVERSATION | {"id": "d"}], "next": None},
        ]
        with Wire(*(answer(200, page) for page in pages)) as wire:
            found = [item.id for item in connect(wire.url).conversations.list(page_size=1, title="ä&b")]
    assert found == ["c", "d"]
    assert [request.target for request in wire.requests] == [
        "/api/v1/conversations/?archived=false&page_size=1&title=%C3%A4%26b",
        "/api/v1/conversations/?cursor=a%2Bb&page_size=1",
    ]
    assert not other.requests
