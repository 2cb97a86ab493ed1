"""Idempotency-Key: what is sent again is answered again and carried out once."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.principals import Principal
from conversations.models import Message
from external import idempotency
from external.models import IdempotencyRecord
from tests.api import key_client, make_client, problem_of, send
from tests.external.posting import BATCHES, gateway, post
from tests.factories import make_model, make_principal

pytestmark = pytest.mark.django_db
KEY = "0123456789abcdef"


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


@pytest.fixture
def client(owner: Principal) -> Client:
    return key_client(owner)


def keyed(client: Client, key: str = KEY, content: str = "Disk full", **fields: Any) -> Any:
    return post(client, content, headers={"Idempotency-Key": key}, **fields)


def sent() -> int:
    return Message.objects.filter(author="integration").count()


def test_a_repetition_gets_the_first_answer(client: Client) -> None:
    first, again = keyed(client), keyed(client)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    assert first["Location"] == again["Location"]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert sent() == 1


def test_bare_and_quoted_are_one_key(client: Client) -> None:
    assert keyed(client).content == keyed(client, f'"{KEY}"').content


def test_another_request_under_the_key_is_refused(client: Client) -> None:
    keyed(client)
    assert problem_of(keyed(client, content="Other"), 422)["code"] == "idempotency_key_reused"
    assert sent() == 1


@pytest.mark.parametrize("key", ["short", "x" * 256, "with blank 012345", '"0123456789abcde"', "ä" * 16])
def test_what_is_no_key_is_refused(client: Client, key: str) -> None:
    problem_of(keyed(client, key), 400)
    assert sent() == 0


def test_the_key_outlives_the_secret_and_ends_at_the_integration(owner: Principal) -> None:
    integration = gateway(owner).integration
    assert integration
    first, second = (make_client(headers={"X-API-Key": keys.rotate(integration)[1]}) for _ in range(2))
    assert keyed(first).content == keyed(second).content
    assert keyed(key_client(owner)).content != keyed(first).content
    assert sent() == 2


def test_a_key_belongs_to_one_route(client: Client) -> None:
    keyed(client)
    headers = {"Idempotency-Key": KEY}
    batches = [
        send(client, "POST", BATCHES, {"items": [{"content": "One"}]}, headers=headers) for _ in range(2)
    ]
    assert batches[0].content == batches[1].content
    assert batches[1]["Idempotency-Replayed"] == "true"
    assert sent() == 2


def test_what_was_refused_is_not_kept(client: Client) -> None:
    problem_of(keyed(client, respond={"model": "late"}), 422)
    make_model("late")
    assert keyed(client, respond={"model": "late"}).status_code == 202


def test_a_key_is_kept_for_seven_days(client: Client) -> None:
    first = keyed(client)
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(days=7, seconds=1))
    assert keyed(client).content != first.content
    assert idempotency.forget_old() == 0
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(days=7, seconds=1))
    assert idempotency.forget_old() == 1
