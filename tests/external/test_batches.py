"""Many messages in one request: each judged by itself, or all or nothing."""

import json
from typing import Any

import pytest
from django.test import Client

from chatcore.accounts.principals import Principal
from chatcore.usage.models import Budget
from conversations.models import Conversation, Member, Message
from external.batches import MAX_BYTES, NDJSON
from external.models import IntakeMessage
from tests.api import key_client, problem_of, send
from tests.external.posting import BATCHES, accepted, batch
from tests.factories import make_conversation, make_model, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


@pytest.fixture
def client(owner: Principal) -> Client:
    return key_client(owner)


def lines(client: Client, raw: bytes, **options: Any) -> Any:
    path = BATCHES + options.pop("query", "")
    return send(client, "POST", path, raw, content_type=NDJSON, **options)


def test_each_item_is_told_what_became_of_it(client: Client, owner: Principal) -> None:
    accepted(client, external_id="known")
    private = make_conversation(make_principal(), "Private")
    answer = batch(
        client,
        {"content": "One", "external_id": "1"},
        {"contents": "typo"},
        {"content": "Known", "external_id": "known"},
        {"content": "Foreign", "conversation": str(private.id)},
        "no object",
        {"content": "One again", "external_id": "1"},
        {"content": "Two", "respond": "none"},
    )

    assert answer.status_code == 200
    body = answer.json()
    found = [result["status"] for result in body["results"]]
    refused = [result["problem"] and result["problem"]["status"] for result in body["results"]]
    assert found == ["accepted", "rejected", "duplicate", "rejected", "rejected", "duplicate", "accepted"]
    assert refused == [None, 422, None, 404, 422, None, None]
    assert (body["accepted"], body["duplicates"], body["rejected"]) == (2, 2, 3)
    assert body["results"][5]["message"] == body["results"][0]["message"]
    assert not Message.objects.filter(conversation=private, author="integration").exists()


def test_an_item_that_nobody_can_write_down_spoils_no_other(client: Client) -> None:
    answer = batch(
        client,
        {"content": "One", "external_id": "\ud800"},
        {"content": "Two", "conversation": "\ud800"},
        {"content": "Three"},
    )
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["rejected", "rejected", "accepted"]
    assert results[0]["external_id"] == "?"


def test_order_is_kept_within_a_conversation(client: Client) -> None:
    names = ["a", "b", "a", "b", "a"]
    results = batch(
        client, *({"content": f"{n}", "conversation": {"thread": name}} for n, name in enumerate(names))
    ).json()["results"]

    assert Conversation.objects.count() == 2
    leaf = Conversation.objects.get(id=results[0]["conversation"]).active_leaf_id
    path = Message.objects.path(leaf, 100)
    assert [message.text for message in path if not message.is_reply] == ["0", "2", "4"]
    assert [message.is_reply for message in path] == [False, True] * 3
    assert set(Member.objects.values_list("unread", flat=True)) == {2, 3}


def test_all_or_nothing_stores_nothing_and_points_at_what_is_wrong(client: Client) -> None:
    fine, empty, unknown = (
        {"content": "Fine"},
        {"content": " "},
        {"content": "x", "respond": {"model": "nobody"}},
    )
    for items, pointers in (
        ([fine, unknown, empty], ["/items/1/respond/model", "/items/2/content"]),
        ([fine, {"content": 1}], ["/items/1/content"]),
    ):
        problem = problem_of(batch(client, *items, atomic=True), 422)
        assert problem["code"] == "batch_refused"
        assert [error["pointer"] for error in problem["errors"]] == pointers
    assert not Message.objects.exists()
    assert batch(client, fine, fine, atomic=True).json()["accepted"] == 2


def test_messages_come_one_on_each_line(client: Client) -> None:
    raw = b'{"content": "One"}\n\n{"content": \n{"content": "Two"}\r\n'
    body = lines(client, raw).json()
    assert [result["status"] for result in body["results"]] == ["accepted", "rejected", "accepted"]
    assert body["results"][1]["problem"]["code"] == "malformed"
    assert set(IntakeMessage.objects.values_list("source", flat=True)) == {"batch"}

    assert problem_of(lines(client, raw, query="?atomic=true"), 422)["code"] == "batch_refused"
    assert Message.objects.filter(author="integration").count() == 2


@pytest.mark.parametrize(
    ("raw", "query", "status"),
    [
        (b"\n", "", 422),
        (b'{"content": "x"}\n' * 1_001, "", 413),
        (b" " * (MAX_BYTES + 1), "", 413),
        (b'{"content": "x"}', "?atomic=perhaps", 400),
    ],
)
def test_lines_that_are_no_batch_are_refused(client: Client, raw: bytes, query: str, status: int) -> None:
    problem_of(lines(client, raw, query=query), status)
    assert not Message.objects.exists()


@pytest.mark.parametrize("body", [{"items": []}, {"items": [{}] * 101}, {"item": []}, []])
def test_documents_that_are_no_batch_are_refused(client: Client, body: Any) -> None:
    problem_of(send(client, "POST", BATCHES, json.dumps(body).encode()), 422)


def test_a_thousand_lines_are_taken_at_once(client: Client) -> None:
    raw = b"\n".join(b'{"content": "%d", "respond": "none"}' % n for n in range(1_000))
    assert lines(client, raw).json()["accepted"] == 1_000
    assert Member.objects.get().unread == 1_000


def test_a_budget_that_covers_some_lets_those_in(client: Client, owner: Principal, settings: Any) -> None:
    settings.RATE_LIMIT_CONVERSATION = 0
    Budget.objects.create(workspace=owner.workspace, unit="requests", period="day", limit=2)
    items = [{"content": str(n), "respond": "none" if n == 1 else "default"} for n in range(5)]
    results = batch(client, *items).json()["results"]
    assert [result["status"] for result in results] == ["accepted"] * 3 + ["rejected"] * 2
    assert results[3]["problem"]["code"] == "budget_exceeded"
    assert Message.objects.filter(author="integration").count() == 3
    assert batch(client, *items[:2], atomic=True).status_code == 429
