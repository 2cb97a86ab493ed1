"""Looking after webhooks: made, challenged, changed, disabled, delivered again, confirmed; and what is refused."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.principals import Principal
from chatcore.offload import offload
from chatcore.realtime.models import Event
from chatcore.security import outbound
from conversations.models import Receipt
from external.models import Delivery, Webhook
from external.webhooks import actions, states
from external.webhooks.challenge import challenge, is_right
from external.webhooks.claims import claim_due
from tests.api import key_client, make_client, problem_of, send
from tests.external.factories import make_delivery, make_webhook
from tests.external.receivers import Receiver, echo_challenge
from tests.factories import make_conversation, make_key_principal, make_principal

HOOKS = "/api/v1/webhooks/"
NEW = {"url": "https://hooks.example.com/in?token=t", "types": ["message.*"]}


@pytest.fixture
def owner(db: None) -> Principal:
    return make_principal()


def jobs() -> list[tuple[str, dict[str, Any]]]:
    with connection.cursor() as sql:
        sql.execute("select task_name, args::text from procrastinate_jobs order by id")
        return [(name, json.loads(args)) for name, args in sql.fetchall()]


def test_a_new_one_shows_its_secret_once_and_is_challenged(owner: Principal) -> None:
    client = key_client(owner)
    made = send(client, "POST", HOOKS, NEW).json()
    assert made["secret"].startswith("whsec_")
    assert (made["status"], made["payload"], made["ordered"], made["version"]) == (
        "pending",
        "full",
        False,
        1,
    )
    assert jobs()[-1] == ("webhooks.challenge", {"webhook_id": made["id"]})
    for answer in (client.get(HOOKS), client.get(f"{HOOKS}{made['id']}/")):
        assert made["secret"] not in answer.content.decode()
    webhook = Webhook.objects.get()
    assert webhook.secret == made["secret"]
    make_delivery(webhook)
    assert not claim_due(10, timezone.now() + timedelta(days=1)), "it is told nothing yet"


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"url": "http://hooks.example.com/"}, "/url", "address_refused"),
        ({"url": "https://10.0.0.1/"}, "/url", "address_refused"),
        ({"url": "https://user:pass@hooks.example.com/"}, "/url", "address_refused"),
        ({"url": "hooks"}, "/url", "address_refused"),
        ({"types": []}, "/types", "invalid"),
        ({"types": ["message.craeted"]}, "/types/0", "unknown_event"),
        ({"types": ["*", "reply.delta"]}, "/types/1", "unknown_event"),
        ({"types": ["message.created\n"]}, "/types/0", "unknown_event"),
        ({"filter": {"path": "type"}}, "/filter", "invalid_filter"),
        ({"filter": {"all": [{"path": "type", "like": 1}]}}, "/filter/all/0", "invalid_filter"),
        ({"payload": "half"}, "/payload", "literal_error"),
        ({"version": 2}, "/version", "literal_error"),
        ({"secret": "whsec_mine"}, "/secret", "unknown"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    owner: Principal, changes: dict[str, Any], pointer: str, code: str
) -> None:
    problem = problem_of(send(key_client(owner), "POST", HOOKS, NEW | changes), 422)
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == (pointer, code)
    assert not Webhook.objects.exists()


def test_a_workspace_has_twenty_at_most(owner: Principal) -> None:
    for _ in range(20):
        make_webhook(owner)
    assert problem_of(send(key_client(owner), "POST", HOOKS, NEW), 409)["code"] == "too_many_webhooks"
    assert send(key_client(make_principal()), "POST", HOOKS, NEW).status_code == 201


def test_members_may_not(owner: Principal) -> None:
    webhook = make_webhook(owner)
    member = key_client(make_principal(workspace=owner.workspace, role="member"))
    for method, path in (("GET", ""), ("POST", ""), ("GET", f"{webhook.id}/"), ("DELETE", f"{webhook.id}/")):
        assert problem_of(send(member, method, HOOKS + path, NEW), 403)["code"] == "forbidden"


# --- The challenge -------------------------------------------------------------------------------------------------


async def made(owner: Principal, url: str) -> Webhook:
    return await offload(actions.add_webhook, owner, url=url, types=["*"])


@pytest.mark.django_db(transaction=True)
async def test_it_is_active_once_its_address_answers_the_signed_challenge(receiver: Receiver) -> None:
    owner = await offload(make_principal)
    webhook = await made(owner, receiver.url)
    receiver.plan(200, b"hello")
    assert not await challenge(webhook.id)
    refused = await offload(Webhook.objects.get)
    assert (refused.status, refused.challenge_error) == (
        "pending",
        "The address answered, but not with the challenge.",
    )

    echo_challenge(receiver)
    assert await challenge(webhook.id)
    active = await offload(Webhook.objects.get)
    assert (active.status, active.challenge_error) == ("active", "")
    assert receiver.requests[-1].verify(webhook.secret)["type"] == "webhook.challenge"
    told = await offload(Event.objects.get)
    assert (told.type, told.payload["host"]) == ("webhook.activated", "127.0.0.1")
    assert not await challenge(webhook.id), "it does not wait for one any more"


@pytest.mark.parametrize(
    ("status", "body", "right"),
    [
        (200, b"token", True),
        (204, b" token\n", True),
        (200, b'{"challenge": "token"}', True),
        (200, b'{"challenge": "other"}', False),
        (200, b'{"other": "token"}', False),
        (200, b"[]", False),
        (200, b"\xff", False),
        (200, b"[" * 4000, False),
        (200, b"", False),
        (302, b"token", False),
        (500, b"token", False),
    ],
)
def test_the_answer_is_the_challenge(status: int, body: bytes, right: bool) -> None:
    assert is_right(outbound.Answer(status, {}, body, truncated=False), "token") is right


def test_an_answer_for_an_address_it_has_left_activates_nothing(owner: Principal) -> None:
    webhook = make_webhook(owner, status="pending", activated_at=None)
    assert not states.activate(webhook.id, "https://old.example.com/", timezone.now())
    webhook.refresh_from_db()
    assert webhook.status == "pending"


# --- Changing, disabling, delivering again ---------------------------------------------------------------------------


def test_another_address_must_answer_first_and_is_not_told_what_was_for_the_old_one(owner: Principal) -> None:
    webhook = make_webhook(owner)
    waiting = make_delivery(webhook)
    client = key_client(owner)
    answer = send(client, "PATCH", f"{HOOKS}{webhook.id}/", {"types": ["reply.*"]})
    assert (answer.json()["status"], answer.json()["types"], jobs()) == ("active", ["reply.*"], [])
    answer = send(client, "PATCH", f"{HOOKS}{webhook.id}/", {"url": "https://new.example.com/"})
    assert answer.json()["status"] == "pending"
    assert len(jobs()) == 1
    waiting.refresh_from_db()
    assert waiting.status == "dead"


def test_disabled_and_enabled_again(owner: Principal) -> None:
    webhook = make_webhook(owner)
    dead, sent = make_delivery(webhook), make_delivery(webhook, status="delivered", ended_at=timezone.now())
    client = key_client(owner)
    answer = send(client, "POST", f"{HOOKS}{webhook.id}/disable").json()
    assert (answer["status"], answer["reason"]) == ("disabled", "person")
    assert Event.objects.get().payload["reason"] == "person"
    send(client, "POST", f"{HOOKS}{webhook.id}/disable")
    assert Event.objects.count() == 1
    dead.refresh_from_db()
    assert dead.status == "dead"
    for path in (f"{HOOKS}{webhook.id}/redeliver", f"/api/v1/deliveries/{dead.id}/redeliver"):
        assert problem_of(send(client, "POST", path, {}), 409)["code"] == "webhook_inactive"

    assert send(client, "POST", f"{HOOKS}{webhook.id}/challenge").json()["status"] == "pending"
    assert states.activate(webhook.id, webhook.url, timezone.now())
    assert send(client, "POST", f"{HOOKS}{webhook.id}/redeliver").json() == {"count": 1}
    sent.refresh_from_db()
    assert sent.status == "delivered"
    assert {claim.id for claim in claim_due(10, timezone.now())} == {dead.id}


def test_a_time_range_is_delivered_again(owner: Principal) -> None:
    webhook, now = make_webhook(owner), timezone.now()
    rows = [
        make_delivery(webhook, status=status, ended_at=now, created_at=now - timedelta(hours=hours), tries=10)
        for hours in (1, 3, 5)
        for status in ("dead", "delivered")
    ]
    path, client = f"{HOOKS}{webhook.id}/redeliver", key_client(owner)
    between = {
        "from": (now - timedelta(hours=4)).isoformat(),
        "to": (now - timedelta(hours=2)).isoformat(),
    }
    assert send(client, "POST", path, between | {"delivered": True}).json() == {"count": 2}
    again = Delivery.objects.filter(status="pending", tries=0, ended_at=None)
    assert set(again) == {rows[2], rows[3]}
    assert send(client, "POST", path, {}).json() == {"count": 2}, "the rest of the dead"
    assert problem_of(send(client, "POST", path, {"delivered": True}), 422)


def test_one_that_is_being_sent_is_left_to_its_sender(owner: Principal) -> None:
    delivery = make_delivery(make_webhook(owner))
    claim_due(1, timezone.now())
    answer = send(key_client(owner), "POST", f"/api/v1/deliveries/{delivery.id}/redeliver")
    assert (answer.status_code, answer.json()["status"]) == (200, "sending")


def test_the_log_is_narrowed_and_one_is_shown_with_its_attempts(owner: Principal) -> None:
    webhook, now = make_webhook(owner), timezone.now()
    delivery = make_delivery(webhook, status="dead", ended_at=now, event_type="reply.completed", attempts=1)
    delivery.log.create(number=1, started_at=now, duration_ms=12, status=500, answer="oh")
    make_delivery(webhook)
    client, log = key_client(owner), f"{HOOKS}{webhook.id}/deliveries/"

    def listed(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"{log}?{query}").json()["results"]]

    assert len(listed("")) == 2
    assert listed("status=dead") == listed("type=reply.completed") == [str(delivery.id)]
    assert listed("type=%00") == []
    assert listed("to=2020-01-01") == []
    assert problem_of(client.get(f"{log}?status=lost"), 422)
    shown = client.get(f"/api/v1/deliveries/{delivery.id}/").json()
    assert shown["body"] == delivery.body
    assert shown["log"][0] == {
        "number": 1,
        "started_at": shown["log"][0]["started_at"],
        "duration_ms": 12,
        "status": 500,
        "code": "",
        "answer": "oh",
        "next_at": None,
    }


# --- What became of a delivery ---------------------------------------------------------------------------------------


def test_the_channel_says_that_it_was_delivered_and_read(owner: Principal) -> None:
    integration = make_key_principal(owner, "webhooks:confirm")
    conversation = make_conversation(owner, "Ring ring.")
    webhook = make_webhook(owner, integration=integration.integration)
    delivery = make_delivery(webhook, conversation=conversation.id, message=conversation.active_leaf_id)
    path = f"/api/v1/deliveries/{delivery.id}/status"

    assert integration.integration
    theirs = make_client(headers={"X-API-Key": keys.mint(integration.integration)[1]})
    for state in ("read", "delivered"):
        body = {"state": state, "channel": "sms"}
        assert send(theirs, "POST", path, body).status_code == 204
    receipt = Receipt.objects.get()
    assert (receipt.recipient, receipt.state, receipt.message_id) == ("sms", "read", delivery.message)

    another = key_client(owner, "webhooks:confirm")
    assert problem_of(send(another, "POST", path, {"state": "read"}), 404)
    for spoofed in ("user:1", "Sms", "a" * 41, ""):
        body = {"state": "read", "channel": spoofed}
        assert problem_of(send(theirs, "POST", path, body), 422)["errors"][0]["pointer"] == "/channel"


def test_what_tells_of_no_message_cannot_be_confirmed(owner: Principal) -> None:
    delivery = make_delivery(make_webhook(owner))
    answer = send(key_client(owner), "POST", f"/api/v1/deliveries/{delivery.id}/status", {"state": "read"})
    assert problem_of(answer, 409)["code"] == "no_message"
    gone = make_delivery(delivery.webhook, conversation=uuid.uuid4(), message=uuid.uuid4())
    answer = send(key_client(owner), "POST", f"/api/v1/deliveries/{gone.id}/status", {"state": "read"})
    assert answer.status_code == 204, "a message that was deleted meanwhile"
    assert not Receipt.objects.exists()


def test_answers_and_their_log_go_with_the_webhook(owner: Principal) -> None:
    delivery = make_delivery(make_webhook(owner))
    delivery.log.create(number=1, started_at=timezone.now())
    answer = send(key_client(owner), "DELETE", f"{HOOKS}{delivery.webhook_id}/")
    assert answer.status_code == 204
    assert not Delivery.objects.exists()
