"""The door of vendors: what is proven is stored once, what is refused is logged, and strangers learn nothing."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.principals import Principal
from external.models import Arrival, Fetch, Rejection, Source
from external.sources.jobs import forget_old_rejections
from external.webhooks import signing
from tests.api import make_client
from tests.external.factories import make_delivery, make_webhook
from tests.external.vendors import (
    GENERIC,
    SLACK,
    TWILIO,
    make_source,
    post,
    sample,
    slack_headers,
    texts,
)
from tests.factories import make_model, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    make_model()
    return make_principal()


@pytest.fixture
def client() -> Client:
    return make_client(enforce_csrf_checks=True)


TAKEN = [
    pytest.param(TWILIO, "twilio_sms.form", "Is the shop open on Sunday? Ärger!", id="twilio"),
    pytest.param(SLACK, "slack_message_im.json", "Hello hello can you hear me?", id="slack"),
]


@pytest.mark.parametrize(("kind", "name", "text"), TAKEN)
def test_a_message_is_stored_once_however_often_it_comes(
    owner: Principal, client: Client, kind: Any, name: str, text: str
) -> None:
    source = make_source(owner, **kind)
    for _ in range(2):
        answer = post(client, source, sample(name))
        assert answer.status_code == 200
    assert texts(source) == [text]
    arrival = Arrival.objects.get()
    assert arrival.source == source
    assert arrival.address["to" if source.adapter == "twilio" else "channel"]
    assert not Rejection.objects.exists()


def test_twilio_reads_an_empty_document(owner: Principal, client: Client) -> None:
    answer = post(client, make_source(owner, **TWILIO), sample("twilio_sms.form"))
    assert answer["Content-Type"] == "text/xml"
    assert answer.content.decode() == '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def test_slack_reads_its_challenge(owner: Principal, client: Client) -> None:
    answer = post(client, make_source(owner, **SLACK), sample("slack_url_verification.json"))
    assert answer.content.decode() == json.loads(sample("slack_url_verification.json"))["challenge"]
    assert answer["Content-Type"].startswith("text/plain")


def test_a_list_of_alerts_is_answered_one_by_one(owner: Principal, client: Client) -> None:
    source = make_source(owner, **GENERIC)
    first = post(client, source, sample("generic_alertmanager.json"))
    again = post(client, source, sample("generic_alertmanager.json"))
    assert (first.status_code, again.status_code) == (202, 200)
    assert [row["status"] for row in first.json()["results"]] == ["accepted", "accepted"]
    assert [row["status"] for row in again.json()["results"]] == ["duplicate", "duplicate"]
    assert [row["message"] for row in again.json()["results"]] == [
        row["message"] for row in first.json()["results"]
    ]
    assert len(texts(source)) == 2


def test_one_that_cannot_be_taken_keeps_no_other_back(owner: Principal, client: Client) -> None:
    source = make_source(owner, **GENERIC)
    document = json.loads(sample("generic_alertmanager.json"))
    document["alerts"][0]["annotations"]["summary"] = "x" * 32_001
    answer = post(client, source, json.dumps(document).encode())
    refused, taken = answer.json()["results"]
    assert (answer.status_code, taken["status"]) == (202, "accepted")
    assert refused["problem"]["status"] == 422
    assert "instance" not in refused["problem"]
    (row,) = Rejection.objects.all()
    assert "32,000" in row.detail
    assert row.body == json.dumps(document)[:65_536]


def test_media_are_fetched_later(owner: Principal, client: Client, settings: Any) -> None:
    post(client, make_source(owner, **TWILIO), sample("twilio_mms.form"))
    files = list(Fetch.objects.order_by("id"))
    assert [file.name for file in files] == ["media-1.jpg", "media-2.vcf"]
    assert [bool(file.authorization) for file in files] == [True, False]
    assert texts(Source.objects.get()) == ["(2 attached)"]


LONG = sample("twilio_sms.form").replace(b"Body=", b"Body=" + b"x" * 32_001)
REFUSED = [
    pytest.param(TWILIO, LONG, 200, id="too long"),
    pytest.param(
        TWILIO, sample("twilio_sms.form").replace(b"NumMedia=0", b"NumMedia=11"), 200, id="eleven media"
    ),
    pytest.param(TWILIO, sample("twilio_mms.form").replace(b"https", b"ftp"), 200, id="no address of a file"),
    pytest.param(TWILIO, sample("twilio_sms.form").replace(b"From=", b"From=a&From="), 200, id="two senders"),
    pytest.param(TWILIO, sample("twilio_sms.form").replace(b"Body=", b"Body=%00"), 200, id="NUL"),
    pytest.param(
        SLACK, b'{"type": "event_callback", "event": {"type": "app_mention"}}', 200, id="bare event"
    ),
    pytest.param(SLACK, sample("slack_app_rate_limited.json"), 200, id="left out by the vendor"),
    pytest.param(SLACK, b"[" * 50_000, 200, id="deep"),
    pytest.param(GENERIC, b'{"alerts": [{"fingerprint": "1"}]}', 422, id="nothing where the text is"),
    pytest.param(GENERIC, b"no json", 400, id="no JSON"),
]


@pytest.mark.parametrize(("kind", "body", "status"), REFUSED)
def test_what_is_refused_is_in_the_log_with_its_reason(
    owner: Principal, client: Client, kind: Any, body: bytes, status: int
) -> None:
    """Vendors are told all is well: they would send it again, to no other end."""
    source = make_source(owner, **kind)
    answer = post(client, source, body)
    assert answer.status_code == status
    (row,) = Rejection.objects.all()
    assert row.is_proven
    assert row.code
    assert row.detail
    if status >= 400:
        assert answer.json()["code"] == row.code
        assert answer["Content-Type"] == "application/problem+json"
    assert texts(source) == []


def test_all_that_is_not_proven_is_answered_the_same(owner: Principal, client: Client) -> None:
    source, off = make_source(owner, **SLACK), make_source(owner, **SLACK)
    Source.objects.filter(pk=off.pk).update(enabled=False)
    body = sample("slack_message_im.json")
    absent = Source(id=uuid.uuid4(), adapter="slack")
    other_adapter = Source(id=source.id, adapter="twilio")
    no_adapter = Source(id=source.id, adapter="nobody")
    right = slack_headers(body)
    answers = [
        post(client, source, body, {"x": "y"}),
        post(client, source, body, right | {"x-slack-signature": "v0=0"}),
        post(client, source, body, slack_headers(body, at=1)),
        post(client, source, b"", right),
        *(post(client, each, body, right) for each in (off, absent, other_adapter, no_adapter)),
    ]
    shown = {
        (answer.status_code, json.dumps(answer.json() | {"instance": ""}), answer["Content-Type"])
        for answer in answers
    }
    assert len(shown) == 1
    assert answers[0].status_code == 401
    assert texts(source) == []


def test_unproven_requests_show_in_the_log_but_do_not_fill_it(owner: Principal, client: Client) -> None:
    source = make_source(owner, **SLACK)
    for _ in range(3):
        post(client, source, b"a stranger's words", {"x-slack-signature": "v0=0"})
    (row,) = Rejection.objects.all()
    assert (row.is_proven, row.code, row.body) == (False, "unauthenticated", "")


def test_an_integration_that_is_switched_off_takes_nothing(owner: Principal, client: Client) -> None:
    source = make_source(owner, **TWILIO)
    source.integration.enabled = False
    source.integration.save()
    assert post(client, source, sample("twilio_sms.form")).status_code == 401


def test_a_key_proves_only_its_own_integrations_source(owner: Principal, client: Client) -> None:
    kind = GENERIC | {"secrets": {}, "settings": GENERIC["settings"] | {"proof": "key"}}
    mine, other = make_source(owner, **kind), make_source(owner, **kind)
    key = keys.mint(mine.integration)[1]
    body = sample("generic_alertmanager.json")
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        assert post(client, mine, body, headers).status_code in (200, 202)
        assert post(client, other, body, headers).status_code == 401
    for nothing in ({"X": "y"}, {"X-API-Key": key[:-1]}, {"Authorization": "Bearer x"}):
        assert post(client, mine, body, nothing).status_code == 401


def test_a_body_of_more_than_a_mebibyte_is_refused(owner: Principal, client: Client) -> None:
    answer = post(client, make_source(owner, **SLACK), b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_only_posts_are_taken(owner: Principal, client: Client) -> None:
    source = make_source(owner, **SLACK)
    answer = client.get(source.address[source.address.index("/in/") :])
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_a_secret_that_cannot_be_read_is_our_trouble_and_passes(owner: Principal, client: Client) -> None:
    source = make_source(owner, **TWILIO)
    with connection.cursor() as sql:
        sql.execute("update external_source set sealed = 'v1:AAAA'")
    answer = post(client, source, sample("twilio_sms.form"))
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)


def test_the_log_is_kept_for_thirty_days(owner: Principal) -> None:
    source = make_source(owner, **TWILIO)
    for days in (29, 31):
        row = Rejection.objects.create(source=source, code="x", detail="y")
        Rejection.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=days))
    assert forget_old_rejections() == 1
    assert Rejection.objects.count() == 1


def test_what_a_webhook_told_of_a_conversation_does_not_come_back_to_it(
    owner: Principal, client: Client
) -> None:
    """A delivery of ours, passed on to a source as it came."""
    webhook = make_webhook(owner)
    fields = {"content": "$.text", "thread": "$.thread"}
    kind = {"secrets": {"signing_secret": webhook.secret}, "settings": {"map": fields}}
    source = make_source(owner, **GENERIC | kind)

    def send(thread: str, webhook_id: object = "msg_1") -> Any:
        body = json.dumps({"text": f"To {thread}", "thread": thread}).encode()
        signed = signing.headers(str(webhook_id), body, timezone.now(), [webhook.secret])
        return post(client, source, body, signed)

    told = send("told").json()["results"][0]["conversation"]
    delivery = make_delivery(webhook, conversation=told)
    echo = send("told", delivery.id)
    assert (echo.status_code, echo.json()["code"]) == (409, "loop_detected")
    assert Rejection.objects.get().code == "loop_detected"
    assert [send("told").status_code, send("other", delivery.id).status_code] == [202, 202]
    assert texts(source) == ["To told", "To told", "To other"]
