"""What vendors may send at once: beyond it a request is refused as a whole, so that its repetition does no harm."""

import json
import time
from typing import Any

import pytest
from django.test import Client

from chatcore.accounts.principals import Principal
from chatcore.usage.models import Budget
from external.models import Rejection
from tests.api import make_client
from tests.external.vendors import GENERIC, MAP, SLACK, make_source, post, sample, texts
from tests.factories import make_model, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    make_model()
    return make_principal()


@pytest.fixture
def client() -> Client:
    return make_client(enforce_csrf_checks=True)


def test_what_comes_too_fast_is_refused_for_now_and_logged(
    owner: Principal, client: Client, settings: Any
) -> None:
    settings.RATE_LIMIT_KEY = 3
    source = make_source(owner, **GENERIC)
    first, second = (post(client, source, sample("generic_alertmanager.json")) for _ in range(2))
    assert (first.status_code, second.status_code, second.json()["code"]) == (202, 429, "rate_limited")
    assert int(second["Retry-After"]) > 0
    assert Rejection.objects.get().code == "rate_limited"


def test_a_request_too_fast_for_a_conversation_is_stored_as_a_whole_or_not_at_all(
    owner: Principal, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent again without ids, nothing of it stands there twice."""
    start = time.time()
    monkeypatch.setattr("time.time", lambda: start)
    fields = {name: path for name, path in MAP.items() if name != "external_id"}
    source = make_source(owner, **GENERIC | {"settings": {"map": fields}})

    def send(*words: str, thread: str = "db-3") -> Any:
        alerts = [{"annotations": {"summary": word}, "labels": {"instance": thread}} for word in words]
        return post(client, source, json.dumps({"alerts": alerts}).encode())

    assert send("One", "Two", "Three").status_code == 202
    refused = send("Four", "Five", "Six")
    assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (429, "rate_limited", "5")
    assert send("Elsewhere", thread="db-4").status_code == 202
    monkeypatch.setattr("time.time", lambda: start + 5.1)
    more = [str(number) for number in range(7)]
    answers = [send(*more).status_code, send("Too fast").status_code]
    assert answers == [202, 429], "a request of more than the conversation takes needs all of it"
    assert texts(source) == [f"Alert: {word}" for word in ("One", "Two", "Three", "Elsewhere", *more)]
    assert Rejection.objects.count() == 2


def test_a_budget_that_ends_within_a_request_has_nothing_of_it_stored(
    owner: Principal, client: Client
) -> None:
    source = make_source(owner, **GENERIC)
    Budget.objects.create(workspace=owner.workspace, unit="requests", period="day", limit=1)
    answer = post(client, source, sample("generic_alertmanager.json"))
    assert (answer.status_code, answer.json()["code"]) == (429, "budget_exceeded")
    assert texts(source) == []
    assert Rejection.objects.get().code == "budget_exceeded"


def test_who_guesses_signatures_is_slowed_down(owner: Principal, client: Client, settings: Any) -> None:
    settings.RATE_LIMIT_ADDRESS = 2
    source = make_source(owner, **SLACK)
    body = sample("slack_message_im.json")
    answers = [post(client, source, body, {"x-slack-signature": "v0=0"}).status_code for _ in range(3)]
    assert answers == [401, 401, 429]
    assert post(client, source, body).status_code == 200
