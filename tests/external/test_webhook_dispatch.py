"""From the event log to deliveries: what a webhook asks for, exactly once, also where workers race or are killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.offload import offload
from chatcore.realtime.log import Announcement, announce
from chatcore.realtime.models import Event
from conversations import events
from conversations.models import Receipt
from external.models import Delivery, Dispatch, IntakeMessage, Webhook
from external.webhooks import sending
from external.webhooks.claims import EACH, LEASE
from external.webhooks.dispatch import dispatch, is_wanted
from external.webhooks.hops import hops_of
from external.webhooks.payloads import body_of
from external.webhooks.service import WebhookSender
from tests.external.factories import make_delivery, make_webhook
from tests.external.receivers import Receiver, hang, receiving
from tests.external.sending import deliver
from tests.factories import make_conversation, make_key_principal, make_principal
from tests.until import until

ROOT = Path(__file__).resolve().parents[2]


def an_event(**fields: Any) -> Event:
    defaults = {
        "id": 7,
        "workspace_id": uuid.uuid4(),
        "conversation_id": uuid.uuid4(),
        "type": "message.created",
        "actor": "user:1",
        "created_at": timezone.now(),
        "payload": {"message": str(uuid.uuid4()), "parent": None, "author": "user", "text": "Hi 🎈"},
    }
    return Event(**defaults | fields)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"types": ["message.created"]}, True),
        ({"types": ["reply.*", "message.*"]}, True),
        ({"types": ["*"]}, True),
        ({"types": ["reply.*"]}, False),
        ({"types": ["message"]}, False),
        ({"types": ["*"], "filter": {"path": "data.author", "eq": "user"}}, True),
        ({"types": ["*"], "filter": {"path": "data.author", "eq": "agent"}}, False),
        ({"types": ["*"], "activated_at": timezone.now() + timedelta(days=1)}, False),
        ({"types": ["*"], "activated_at": None}, False),
    ],
)
def test_it_is_told_what_it_asks_for(asked: dict[str, Any], wanted: bool) -> None:
    webhook = Webhook(**{"activated_at": timezone.now() - timedelta(days=1)} | asked)
    assert is_wanted(an_event(), webhook) is wanted


def test_a_thin_body_has_no_word_of_what_was_written() -> None:
    event = an_event()
    full, thin = (json.loads(body_of(event, form, 1)) for form in ("full", "thin"))
    assert full["data"] == event.payload
    assert thin["data"] == {"message": event.payload["message"], "parent": None}
    assert {**full, "data": 0} == {**thin, "data": 0}
    assert full["type"] == "message.created"
    assert (full["timestamp"], full["event"], full["hops"]) == (event.created_at.isoformat(), 7, 1)


@pytest.mark.django_db
def test_what_came_in_from_outside_goes_out_with_a_hop_more() -> None:
    owner = make_principal()
    message = make_conversation(owner, "From outside.").active_leaf
    integration = make_key_principal(owner).integration
    assert message
    IntakeMessage.objects.create(
        message=message, integration=integration, source="api", strategy="owner", hops=2
    )
    told = an_event(id=1, payload={"message": str(message.id)})
    reply = an_event(id=2, payload={"message": str(uuid.uuid4()), "parent": str(message.id)})
    other = an_event(id=3, payload={})
    assert hops_of([told, reply, other]) == {1: 3, 2: 3, 3: 1}


# --- With real commits: the log is read below the horizon, which other transactions may hold for a while -------------


@pytest.fixture
def owner(transactional_db: None) -> Principal:
    while dispatch() is None:  # the first call only begins
        pass
    return make_principal()


def tell(owner: Principal, *texts: str) -> list[int]:
    """An event of each text, each in a transaction of its own; their ids."""
    conversation = uuid.uuid4()
    told = []
    for text in texts:
        announcement = Announcement(
            body=events.ConversationUpdated(title=text, model=None, changed=("title",)),
            workspace=owner.workspace.id,
            conversation=conversation,
            actor="system",
            audience=(),
        )
        with transaction.atomic():
            told += announce(announcement)
    return [event.id for event in told]


async def made(count: int, page: int = 100) -> None:
    """Goes on with the log until there are so many deliveries."""

    async def enough() -> bool:
        await offload(dispatch, page=page)
        return await offload(Delivery.objects.count) >= count

    await until(enough)


async def test_each_event_once_for_each_webhook_in_order_however_many_dispatch(owner: Principal) -> None:
    hooks = [await offload(make_webhook, owner, types=types) for types in (["*"], ["conversation.updated"])]
    await offload(make_webhook, owner, types=["reply.*"])
    await offload(make_webhook, await offload(make_principal))
    told = await offload(tell, owner, *"abcdefgh")

    await asyncio.gather(*(made(len(hooks) * len(told), page=3) for _ in range(3)))

    for hook in hooks:
        rows = hook.deliveries.order_by("number").values_list("event", flat=True)
        assert await offload(list, rows) == told
    numbers = await offload(list, Delivery.objects.values_list("number", flat=True))
    assert len(set(numbers)) == len(numbers) == len(hooks) * len(told)


async def test_one_that_fails_half_way_leaves_the_log_where_it_was(
    owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await offload(make_webhook, owner)
    await offload(tell, owner, "a")
    await made(1)
    before = await offload(Dispatch.objects.values().get)
    await offload(tell, owner, "b")

    class Killed(Exception):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    async def killed_at_work() -> bool:
        try:
            await offload(dispatch)
        except Killed:
            return True
        return False

    with monkeypatch.context() as patch:
        patch.setattr(Dispatch, "set_place", die)
        await until(killed_at_work)
    assert await offload(Dispatch.objects.values().get) == before
    assert await offload(Delivery.objects.count) == 1
    await made(2)
    assert await offload(Delivery.objects.count) == 2


async def test_a_worker_tells_what_happens_and_the_receipt_stands(
    owner: Principal, receiver: Receiver
) -> None:
    integration = (await offload(make_key_principal, owner)).integration
    hook = await offload(
        make_webhook, owner, receiver.url, integration=integration, types=["message.created"]
    )
    sender = WebhookSender()
    await sender.start()
    try:
        conversation = await offload(make_conversation, owner, "Is anybody there?")
        await until(lambda: offload(Receipt.objects.exists))
    finally:
        await sender.stop(3)
    assert integration
    (request,) = receiver.requests
    told = request.verify(hook.secret)
    assert (told["type"], told["data"]["text"]) == ("message.created", "Is anybody there?")
    assert told["conversation"] == str(conversation.id)
    receipt = await offload(Receipt.objects.get)
    assert (receipt.recipient, receipt.state) == (f"integration:{integration.id}", "delivered")


async def test_hanging_receivers_hold_their_own_places_and_no_others(
    owner: Principal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything of the healthy is delivered while the hanging ones' first five each are still on their way."""
    monkeypatch.setattr(sending, "LIMITS", replace(sending.LIMITS, total_seconds=600))
    with receiving() as hanging:
        hanging.write = hang
        stuck = [await offload(make_webhook, owner, hanging.url) for _ in range(2)]
        well = [await offload(make_webhook, owner, receiver.url) for _ in range(8)]
        for hook in (*stuck, *well):
            for _ in range(12):
                await offload(make_delivery, hook)
        now = timezone.now()
        sender = WebhookSender(clock=lambda: now)

        async def all_told() -> bool:
            await sender.take()
            await sender.write()
            waiting = Delivery.objects.filter(webhook__in=well).exclude(status="delivered")
            return not await offload(waiting.exists)

        await until(all_told)
        await until(lambda: len(hanging.requests) == EACH * len(stuck))
        assert len(sender._sending) == EACH * len(stuck)
        assert len(receiver.requests) == 12 * len(well)
        hanging.leaving.set()
        await sender.idle()
        await sender.stop(0)


WORKER = """
import asyncio, django
django.setup()
from external.webhooks.service import WebhookSender

async def work():
    sender = WebhookSender()
    await sender.start()
    await asyncio.Event().wait()

asyncio.run(work())
"""


def test_a_worker_killed_after_the_answer_has_the_same_sent_again(
    owner: Principal, receiver: Receiver
) -> None:
    """The receiver has answered 200; the worker dies before it has read all of it."""
    place = connection.settings_dict
    address = f"postgresql://{place['USER']}@/{place['NAME']}?host={place['HOST']}"
    switches = {"DJANGO_SETTINGS_MODULE": "chatcore.settings", "OUTBOUND_ALLOW": "127.0.0.1:*"}
    delivery = make_delivery(make_webhook(owner, receiver.url))
    killed = threading.Event()
    workers: list[subprocess.Popen[bytes]] = []

    def answer_and_kill(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"o")
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait(30)
        killed.set()

    receiver.write = answer_and_kill
    environment = os.environ | switches | {"DATABASE_URL": address}
    workers.append(subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=environment))
    try:
        assert killed.wait(100)
    finally:
        workers[0].kill()
        workers[0].wait()

    receiver.plan(200)
    deliver(timezone.now() + LEASE)

    one, other = receiver.requests
    assert (one.id, one.body) == (other.id, other.body) == (str(delivery.id), delivery.body.encode())
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 2)
    assert [attempt.code for attempt in delivery.log.all()] == ["sender_lost", ""]
