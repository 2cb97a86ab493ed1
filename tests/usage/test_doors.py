"""A spent budget at every door: the same refusal, and until when."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.offload import offload
from chatcore.realtime import sessions
from chatcore.realtime.hub import hub
from chatcore.realtime.tail import tail
from conversations.models import Conversation, Message
from tests.api import key_client, make_place, of, send
from tests.conversations.pages.browsing import HTMX, page_of, signed_in, text
from tests.factories import make_conversation, make_model, make_principal
from tests.realtime.test_consumers import Socket
from tests.usage.factories import make_budget, make_usage


@pytest.fixture
def owner(db: None) -> Principal:
    make_model()
    return make_principal()


def spent(owner: Principal) -> None:
    make_budget(owner, 1, period="day")
    make_usage(owner)


def tomorrow() -> datetime:
    day = timezone.now().astimezone(UTC).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


ASKING = {
    "drf": ("conversations/<conversation>/messages/", {"content": "And?"}),
    "ninja": ("conversations/<conversation>/replies", {"content": "And?"}),
    "edit": ("messages/<message>/edit", {"content": "And?"}),
    "regenerate": ("replies/<reply>/regenerate", {}),
    "retry": ("replies/<reply>/retry", {}),
}


@pytest.mark.parametrize("door", ASKING)
@pytest.mark.parametrize("mode", [{}, {"Prefer": "wait=5"}, {"Accept": "text/event-stream"}])
def test_the_api_says_that_it_is_spent_and_until_when(
    owner: Principal, door: str, mode: dict[str, str]
) -> None:
    place = make_place(owner)
    spent(owner)
    before = Message.objects.count()
    path, body = ASKING[door]
    for name, value in place.ids.items():
        path = path.replace(f"<{name}>", value)

    answer = send(key_client(owner), "POST", f"/api/v1/{path}", body, headers=mode)

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (429, "budget_exceeded", True)
    assert answer["Content-Type"] == "application/problem+json"
    assert datetime.fromisoformat(problem["resets_at"]) == tomorrow()
    assert 0 < int(answer["Retry-After"]) <= 86_400
    assert problem["detail"].startswith("The workspace's budget of 1 request a day is spent.")
    assert Message.objects.count() == before


def test_messages_nobody_is_to_answer_are_still_taken(owner: Principal) -> None:
    conversation = make_conversation(owner)
    spent(owner)
    body = {"content": "For the record.", "respond": False}
    assert send(key_client(owner), "POST", of(conversation, "messages/"), body).status_code == 201


def test_what_was_sent_before_the_budget_was_spent_may_be_sent_again(owner: Principal) -> None:
    conversation = make_conversation(owner)
    body = {"content": "Hello", "client_id": str(uuid.uuid4())}
    client = key_client(owner)
    assert send(client, "POST", of(conversation, "messages/"), body).status_code == 201
    spent(owner)
    assert send(client, "POST", of(conversation, "messages/"), body).status_code == 200


def test_the_page_says_it_in_a_sentence_and_starts_no_conversation(owner: Principal) -> None:
    conversation = make_conversation(owner)
    spent(owner)
    browser = signed_in(owner)
    for url in ("/", page_of(conversation)):
        answer = browser.post(url, {"content": "Hello"}, headers=HTMX)
        assert answer.status_code == 429
        assert "<html" not in text(answer)
        assert "budget of 1 request a day is spent" in text(answer)
        assert int(answer["Retry-After"]) > 0
    assert Conversation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
async def test_a_live_connection_is_told_and_stays_open(
    monkeypatch: pytest.MonkeyPatch, owner: Principal
) -> None:
    conversation = await offload(make_conversation, owner)
    await offload(spent, owner)

    async def principal_of(*_: Any) -> Principal:
        return owner

    monkeypatch.setattr(sessions, "principal_of", principal_of)
    data = {"conversation": str(conversation.id), "content": "Hello"}
    socket = Socket(json.dumps({"type": "send", "ref": "1", "data": data}))
    running = asyncio.create_task(socket.run())
    async with asyncio.timeout(20):
        while len(socket.said) < 2:
            await asyncio.sleep(0.02)
    socket.leave()
    await running
    await tail.stop()
    await hub.stop()

    frame = socket.said[1]
    assert (frame["type"], frame["ref"], socket.code) == ("error", "1", 0)
    assert frame["data"]["code"] == "budget_exceeded"
    assert datetime.fromisoformat(frame["data"]["resets_at"]) == tomorrow()
