"""A conversation takes a few messages from outside at once: what comes faster is refused by itself, and not stored."""

import json
from typing import Any

import pytest
from django.test import Client

from chatcore.accounts.principals import Principal
from chatcore.errors import TooMany
from conversations.models import Message
from external.batches import NDJSON
from external.intake import IntakeItem, Respond, accept
from tests.api import key_client, problem_of, send
from tests.external.posting import BATCHES, accepted, batch, post
from tests.factories import make_key_principal, make_model, make_principal

pytestmark = pytest.mark.django_db

THREAD = {"thread": "db-3"}


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


@pytest.fixture
def client(owner: Principal, monkeypatch: pytest.MonkeyPatch) -> Client:
    """No window ends while a test runs, however long that takes."""
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    return key_client(owner)


def stored() -> list[str]:
    return list(Message.objects.filter(author="integration").order_by("id").values_list("text", flat=True))


def fill(client: Client, **fields: Any) -> str:
    """A conversation that takes nothing more now."""
    bodies = [accepted(client, f"Alert {number}", conversation=THREAD, **fields) for number in range(5)]
    assert len({body["conversation"] for body in bodies}) == 1
    return str(bodies[0]["conversation"])


def test_the_sixth_message_waits_as_long_as_it_is_told_and_others_do_not(client: Client) -> None:
    conversation = fill(client, respond="none")
    for place in (THREAD, conversation):
        answer = post(client, "Too fast", conversation=place, respond="none")
        assert problem_of(answer, 429)["code"] == "rate_limited"
        assert 1 <= int(answer["Retry-After"]) <= 5
    accepted(client, "Another", conversation={"thread": "db-4"})
    assert stored() == [*(f"Alert {number}" for number in range(5)), "Another"]


def test_a_repetition_costs_nothing_even_where_nothing_more_is_taken(client: Client) -> None:
    key = {"Idempotency-Key": "first-alert-of-the-day"}
    first = accepted(client, "First", conversation=THREAD, external_id="1", headers=key)
    for _ in range(9):
        assert post(client, "First", conversation=THREAD, external_id="1").json()["duplicate"]
        again = post(client, "First", conversation=THREAD, external_id="1", headers=key)
        assert again.json()["message"] == first["message"]
    for number in range(4):
        accepted(client, f"Next {number}", conversation=THREAD)
    assert problem_of(post(client, "Sixth", conversation=THREAD), 429)
    assert post(client, "First", conversation=THREAD, external_id="1").status_code == 200


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_of_a_batch_each_item_over_the_limit_is_refused_by_itself(client: Client, form: str) -> None:
    items: list[Any] = [{"content": f"Ask {number}", "conversation": THREAD} for number in range(7)]
    items += [{"content": "Log", "conversation": THREAD, "respond": "none"}, {"content": "Elsewhere"}]
    if form == "json":
        answer = batch(client, *items)
    else:
        raw = "\n".join(json.dumps(item) for item in items).encode()
        answer = send(client, "POST", BATCHES, raw, content_type=NDJSON)

    found = [result["problem"] and result["problem"]["status"] for result in answer.json()["results"]]
    assert found == [None] * 5 + [429] * 3 + [None]
    assert stored() == [*(f"Ask {number}" for number in range(5)), "Elsewhere"]


def test_a_history_is_brought_into_one_conversation_at_once(client: Client) -> None:
    items = [
        {"content": f"Line {number}", "conversation": THREAD, "respond": "none"} for number in range(100)
    ]
    assert batch(client, *items).json()["accepted"] == 100
    assert stored() == [item["content"] for item in items]


def test_all_or_nothing_stores_nothing_of_what_comes_too_fast(client: Client) -> None:
    items = [{"content": f"Ask {number}", "conversation": THREAD} for number in range(6)]
    problem = problem_of(batch(client, *items, atomic=True), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/items/5"]
    assert stored() == []


@pytest.mark.usefixtures("client")
def test_of_a_whole_request_what_nobody_answers_counts_as_one(owner: Principal) -> None:
    sender = make_key_principal(owner, "*:*")
    logs = [IntakeItem(f"Log {number}", thread="db-3", respond=Respond("none")) for number in range(9)]
    asks = [IntakeItem(f"Ask {number}", thread="db-3") for number in range(4)]
    accept(sender, [*logs, *asks], whole=True)
    with pytest.raises(TooMany):
        accept(sender, logs[:1], whole=True)
    assert stored() == [item.content for item in (*logs, *asks)]


def test_a_limit_of_zero_is_none(client: Client, settings: Any) -> None:
    settings.RATE_LIMIT_CONVERSATION = 0
    for number in range(8):
        accepted(client, f"Alert {number}", conversation=THREAD)
