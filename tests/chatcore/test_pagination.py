"""Pages by position: sizes, signed cursors, and what moves under a reader's feet."""

import json
from typing import Any

import pytest
from django.core import signing
from django.test import Client, RequestFactory
from rest_framework.request import Request

from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid
from chatcore.pagination import DEFAULT_SIZE, MAX_SIZE, link, page_size
from conversations.models import Message
from tests.api import CONVERSATIONS, key_client, problem_of
from tests.factories import make_conversation, make_principal


@pytest.mark.parametrize(
    ("text", "size"), [(None, DEFAULT_SIZE), ("1", 1), ("007", 7), ("50", 50), (str(MAX_SIZE), MAX_SIZE)]
)
def test_a_size_is_a_whole_number_up_to_the_largest(text: str | None, size: int) -> None:
    assert page_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "201",
        "1.5",
        "1e2",
        " 7",
        "seven",
        "\u00b2",
        "\u0661",
        "0000000500000",
        "9" * 5_000,
        "0" * 5_000 + "7",
    ],
)
def test_any_other_size_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        page_size(text)
    assert refused.value.errors[0].pointer == "/page_size"


def test_a_link_keeps_the_query_and_writes_it_safely() -> None:
    request = Request(RequestFactory().get("/api/v1/things/?title=a%26b%3D%C3%A4&cursor=old"))
    assert link(request, cursor="new+1") == (
        "http://testserver/api/v1/things/?title=a%26b%3D%C3%A4&cursor=new%2B1"
    )


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


@pytest.fixture
def http(owner: Principal) -> Client:
    return key_client(owner)


def cursor_of(http: Client, address: str) -> str:
    following: str = http.get(f"{address}?page_size=1").json()["next"]
    return following.partition("cursor=")[2].partition("&")[0]


def signed_elsewhere(position: Any) -> str:
    return signing.Signer(salt="chatcore.page", sep=".").sign_object(position)


FORGED = {
    "noise": "abc",
    "another library's": "cD1hYmM=",
    "an offset": "bz1hYmM=",
    "nul": "%00",
    "no text": "%FF%FE",
    "only a dot": ".",
    "huge": "A" * 10_000,
    "of another place": signed_elsewhere({"b": False, "p": ["2026-01-01T00:00:00Z", "x"]}),
    "no object": signed_elsewhere([1]),
    "plain json": json.dumps({"b": False, "p": ["a", "b"]}),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_cursor_this_server_did_not_give_out_is_refused(http: Client, name: str) -> None:
    for address in (CONVERSATIONS, "/api/v1/models/"):
        problem = problem_of(http.get(f"{address}?cursor={FORGED[name]}"), 400)
        assert problem["code"] == "malformed"


def test_a_cursor_with_any_letter_changed_is_refused(http: Client, owner: Principal) -> None:
    for _ in range(2):
        make_conversation(owner)
    cursor = cursor_of(http, CONVERSATIONS)
    for place in range(0, len(cursor), 7):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        problem_of(http.get(CONVERSATIONS, {"cursor": changed}), 400)
    assert http.get(CONVERSATIONS, {"cursor": cursor}).status_code == 200


def test_a_position_outlives_the_row_it_names(http: Client, owner: Principal) -> None:
    conversation = make_conversation(owner, *"abcdef")
    address = f"{CONVERSATIONS}{conversation.id}/messages/?page_size=2"
    first = http.get(address).json()
    Message.objects.filter(text="a").update(parent=None)
    Message.objects.filter(text="c").update(parent=None)
    Message.objects.filter(text="b").delete()

    second = http.get(first["next"]).json()
    back = http.get(second["previous"]).json()

    assert [row["text"] for row in second["results"]] == ["c", "d"]
    assert [row["text"] for row in back["results"]] == ["a"]
    assert back["previous"] is None
    assert http.get(back["next"]).json()["results"] == second["results"]


def test_the_only_page_leads_nowhere(http: Client, owner: Principal) -> None:
    conversation = make_conversation(owner, *"ab")
    page = http.get(f"{CONVERSATIONS}{conversation.id}/messages/?page_size=2").json()
    assert (len(page["results"]), page["next"], page["previous"]) == (2, None, None)
    empty = http.get(f"{CONVERSATIONS}?title=none").json()
    assert empty == {"results": [], "next": None, "previous": None}
