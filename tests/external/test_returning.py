"""Replies go back by the way the question came, once, whole and in order; what becomes of them is seen."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.utils import timezone

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.offload import offload
from conversations.actions import delete_message, post_message
from conversations.claims import claim_replies
from conversations.finishing import Outcome, finish_reply
from conversations.models import Message, Receipt
from conversations.streams import ReplyStream
from external.adapters.adapter import NotSent
from external.models import Arrival, ReplyPart, Source
from external.sources import returning
from external.sources.receiving import receive
from external.sources.returning import CLAIM_SECONDS, WAITS, claim_next, parts_of, return_reply, send, settle
from tests.external.vendors import (
    ACCOUNT,
    SLACK,
    TOKEN,
    TWILIO,
    Say,
    make_source,
    received,
    sample,
    vendor_api,
)
from tests.factories import make_model, make_principal

SMS = "twilio_sms.form"


@pytest.fixture
def _loopback(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]


def ask(kind: dict[str, Any], name: str, *, url: str = "", **settings: str) -> tuple[Source, Message]:
    """What the vendor sends has come in; with `url` for its API, its reply waits to be made."""
    owner = make_principal()
    make_model()
    where = {"base_url": url} if url else {}
    source = make_source(owner, **kind | {"settings": kind["settings"] | where | settings})
    receive(source.adapter, source.id, received(source, sample(name)))
    return source, Arrival.objects.get(source=source).message


def finish(text: str) -> Message:
    """The one reply that waits is made: a model has said this."""
    (claim,) = claim_replies(10)
    stream = ReplyStream(claim)
    stream.parts["text"].append(text)
    assert finish_reply(stream, Outcome.DONE, [])
    return Message.objects.get(id=claim.id)


def jobs() -> list[tuple[str, float]]:
    """The waiting jobs that send replies, and in how many seconds each may run."""
    with connection.cursor() as sql:
        sql.execute(
            "select args->>'reply_id', coalesce(extract(epoch from scheduled_at - now()), 0) "
            "from procrastinate_jobs where task_name = %s and status = 'todo' order by id",
            [returning.RETURN],
        )
        return [(row[0], float(row[1])) for row in sql.fetchall()]


def confirm(source: Source, status: str, vendor_id: str) -> None:
    body = sample(f"twilio_status_{status}.form").replace(b"SMout", vendor_id.encode())
    receive("twilio", source.id, received(source, body))


# --- What is queued --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_reply_is_queued_with_its_final_save() -> None:
    source, _ = ask(TWILIO, SMS)
    reply = finish("From nine to five.")
    (part,) = ReplyPart.objects.all()
    assert (part.source, part.message, part.text, part.status) == (
        source,
        reply,
        "From nine to five.",
        "queued",
    )
    assert part.address == {"to": "+16505550111", "from": "+14158141829"}
    assert [job for job, _ in jobs()] == [str(reply.id)]


@pytest.mark.django_db
def test_what_came_another_way_does_not_go_back() -> None:
    _, message = ask(TWILIO, SMS)
    finish("First.")
    ReplyPart.objects.all().delete()
    principal = Principal(message.user, message.workspace, None, frozenset({"*:*"}), "owner")
    post_message(principal, message.conversation_id, text="Said on the page")
    finish("Read on the page.")
    assert not ReplyPart.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"enabled": False}, {"adapter": "gone"}, None])
def test_a_source_that_is_not_at_work_takes_no_replies(change: dict[str, Any] | None) -> None:
    source, _ = ask(TWILIO, SMS)
    if change:
        Source.objects.filter(pk=source.pk).update(**change)
    else:
        Integration.objects.filter(pk=source.integration_id).update(enabled=False)
    finish("Nobody reads this.")
    assert not ReplyPart.objects.exists()


@pytest.mark.parametrize(
    ("text", "longest", "parts"),
    [
        ("", 5, []),
        ("short", 5, ["short"]),
        ("one two three", 8, ["one two", "three"]),
        ("first one\n\nsecond one", 12, ["first one", "second one"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("aaaa bbbb", 4, ["aaaa", "bbbb"]),
    ],
)
def test_a_long_text_is_cut_where_it_hurts_least(text: str, longest: int, parts: list[str]) -> None:
    assert list(parts_of(text, longest)) == parts


@pytest.mark.django_db
def test_a_deleted_message_takes_what_hangs_on_it_along() -> None:
    _, message = ask(TWILIO, SMS)
    finish("Gone soon.")
    principal = Principal(message.user, message.workspace, None, frozenset({"*:*"}), "owner")
    delete_message(principal, message.id)
    with connection.cursor() as sql:
        sql.execute("set constraints all immediate")
    assert not ReplyPart.objects.exists()
    assert not Arrival.objects.exists()


# --- What is sent ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_loopback")
async def test_a_long_reply_goes_to_twilio_in_parts_and_in_order() -> None:
    with vendor_api(Say(201, {"sid": "SM1"}), Say(201, {"sid": "SM2"})) as api:
        source, _ = await offload(ask, TWILIO, SMS, url=api.url)
        reply = await offload(finish, "word " * 400)
        await return_reply(reply.id)
        await return_reply(reply.id)
    assert [asked.path for asked in api.asked] == [f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"] * 2
    first, second = (asked.form for asked in api.asked)
    assert f"{first['Body']} {second['Body']}" == ("word " * 400).strip()
    assert len(first["Body"]) <= 1_600
    assert (first["To"], first["From"]) == ("+16505550111", "+14158141829")
    assert first["StatusCallback"] == source.address
    right = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert api.asked[0].headers["authorization"] == f"Basic {right}"
    parts = await offload(lambda: list(ReplyPart.objects.order_by("part").values_list("status", "vendor_id")))
    assert parts == [("sent", "SM1"), ("sent", "SM2")]


def attempt(reply: Message) -> None:
    """What the job does, once, in this test's own transaction."""
    claim = claim_next(reply.id)
    assert claim
    settle(claim.part, async_to_sync(send)(claim))


@pytest.mark.django_db
@pytest.mark.usefixtures("_loopback")
def test_a_reply_goes_into_slacks_thread_and_calls_nobody() -> None:
    with vendor_api(Say(200, {"ok": True, "channel": "C123ABC456", "ts": "1.2"})) as api:
        ask(SLACK, "slack_app_mention.json", url=api.url)
        attempt(finish("<!channel> a & b"))
    (asked,) = api.asked
    assert asked.path == "/api/chat.postMessage"
    assert asked.headers["authorization"] == "Bearer xoxb-1"
    assert json.loads(asked.body) == {
        "channel": "C123ABC456",
        "text": "&lt;!channel&gt; a &amp; b",
        "thread_ts": "1515449522.000016",
    }
    assert ReplyPart.objects.get().vendor_id == "C123ABC456:1.2"


REFUSED = {"code": 21211, "message": "No number"}
TROUBLE = [
    pytest.param(TWILIO, Say(500, b"oops"), ("queued", 2, "500"), id="twilio is down"),
    pytest.param(TWILIO, Say(429, {}, {"Retry-After": "90"}), ("queued", 90, "429"), id="twilio is busy"),
    pytest.param(TWILIO, Say(400, REFUSED), ("failed", None, "No number"), id="twilio refuses"),
    pytest.param(TWILIO, Say(201, b"no json"), ("failed", None, "201"), id="twilio gives no id"),
    pytest.param(
        SLACK, Say(200, {"ok": False, "error": "ratelimited"}), ("queued", 2, "rate"), id="slack is busy"
    ),
    pytest.param(
        SLACK, Say(200, {"ok": False, "error": "no_auth"}), ("failed", None, "auth"), id="slack refuses"
    ),
]


@pytest.mark.django_db
@pytest.mark.usefixtures("_loopback")
@pytest.mark.parametrize(("kind", "say", "outcome"), TROUBLE)
def test_what_may_go_later_is_tried_later_and_the_rest_is_told(
    kind: Any, say: Say, outcome: tuple[str, int | None, str]
) -> None:
    status, wait, words = outcome
    with vendor_api(say) as api:
        ask(kind, SMS if kind is TWILIO else "slack_message_im.json", url=api.url)
        attempt(finish("Hello."))
    part = ReplyPart.objects.get()
    assert (part.status, part.attempts, len(api.asked)) == (status, 1, 1)
    assert words in part.error
    assert [abs(seconds - (wait or 0)) < 60 for _, seconds in jobs()[1:]] == ([True] if wait else [])


@pytest.mark.django_db
def test_an_address_that_may_not_be_called_is_not() -> None:
    ask(TWILIO, SMS, url="http://127.0.0.1:9")
    attempt(finish("Hello."))
    assert ReplyPart.objects.get().status == "failed"


@pytest.mark.django_db
def test_a_worker_that_died_leaves_its_part_to_another_after_a_while() -> None:
    ask(TWILIO, SMS)
    reply = finish("Hello.")
    first = claim_next(reply.id)
    assert first
    assert claim_next(reply.id) is None
    assert abs(jobs()[-1][1] - CLAIM_SECONDS) < 20
    ReplyPart.objects.update(claimed_at=timezone.now() - timedelta(seconds=CLAIM_SECONDS + 1))
    second = claim_next(reply.id)
    assert second
    settle(first.part, "SMlate")
    assert ReplyPart.objects.get().status == "queued"
    settle(second.part, "SMright")
    assert ReplyPart.objects.get().vendor_id == "SMright"


@pytest.mark.django_db
def test_in_the_end_it_has_failed_and_so_has_what_would_follow() -> None:
    ask(TWILIO, SMS)
    reply = finish("word " * 400)
    for attempt in range(len(WAITS) + 1):
        claim = claim_next(reply.id)
        assert claim, attempt
        settle(claim.part, NotSent("500", retryable=True))
    assert claim_next(reply.id) is None
    assert list(ReplyPart.objects.order_by("part").values_list("status", "error")) == [
        ("failed", "500"),
        ("failed", "A part before it was not sent."),
    ]


@pytest.mark.django_db
def test_a_source_whose_secrets_are_lost_says_so() -> None:
    ask(TWILIO, SMS)
    reply = finish("Hello.")
    with connection.cursor() as sql:
        sql.execute("update external_source set sealed = 'v1:AAAA'")
    assert claim_next(reply.id) is None
    status, error = ReplyPart.objects.values_list("status", "error").get()
    assert (status, "secrets" in error) == ("failed", True)


# --- What becomes of it ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_confirmations_become_receipts_and_only_go_forward() -> None:
    source, _ = ask(TWILIO, SMS)
    reply = finish("Hello.")
    claim = claim_next(reply.id)
    assert claim
    settle(claim.part, "SMout1")
    seen = []
    for status in ("sent", "delivered", "sent", "read", "delivered", "undelivered", "queued"):
        confirm(source, status, "SMout1")
        seen.append(ReplyPart.objects.get().status)
    assert seen == ["sent", "delivered", "delivered", "read", "read", "read", "read"]
    receipt = Receipt.objects.get(message=reply)
    assert (receipt.recipient, receipt.state) == (f"integration:{source.integration_id}", "read")
    confirm(source, "delivered", "SMsomebody-elses")


@pytest.mark.django_db
def test_a_message_that_never_arrived_says_why() -> None:
    source, _ = ask(TWILIO, SMS)
    reply = finish("Hello.")
    claim = claim_next(reply.id)
    assert claim
    settle(claim.part, "SMout2")
    confirm(source, "undelivered", "SMout2")
    assert ReplyPart.objects.values_list("status", "error").get() == ("failed", "30005")
    assert not Receipt.objects.exists()
