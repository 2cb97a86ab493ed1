"""Deliveries on their way: signed, tried again by the schedule, given up; and when a webhook is disabled."""

import base64
from datetime import UTC, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.realtime.models import Event
from external.models import Attempt, Delivery, Webhook
from external.webhooks import schedule
from external.webhooks.actions import rotate_secret
from external.webhooks.outcomes import record
from external.webhooks.tasks import trim
from tests.external.factories import make_delivery, make_webhook
from tests.external.receivers import Receiver
from tests.external.sending import claim_all, deliver, log_of, now_and, send_all
from tests.factories import make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def test_the_independent_library_verifies_what_arrives(owner: Principal, receiver: Receiver) -> None:
    webhook = make_webhook(owner, receiver.url)
    delivery = make_delivery(webhook, body='{"said":"Grüße 🎈"}', hops=2)

    deliver(now_and())

    (request,) = receiver.requests
    assert request.verify(webhook.secret) == {"said": "Grüße 🎈"}
    assert (request.id, request.headers["content-type"]) == (str(delivery.id), "application/json")
    assert request.headers["chatcore-hops"] == "2"
    delivery.refresh_from_db()
    assert delivery.status == "delivered"
    assert delivery.ended_at
    attempt = delivery.log.get()
    assert (attempt.number, attempt.status, attempt.answer, attempt.next_at) == (1, 200, "ok", None)


def test_a_replaced_secret_verifies_for_a_day(owner: Principal, receiver: Receiver) -> None:
    webhook = make_webhook(owner, receiver.url)
    old, new = webhook.secret, rotate_secret(owner, webhook.id).secret
    assert old != new
    make_delivery(webhook)
    deliver(now_and())
    request = receiver.requests[-1]
    assert request.verify(old) == request.verify(new)

    webhook.refresh_from_db()
    assert webhook.rotated_at
    Webhook.objects.update(rotated_at=webhook.rotated_at - timedelta(hours=25))
    make_delivery(webhook)
    deliver(now_and(seconds=1))
    request = receiver.requests[-1]
    assert request.verify(new)
    assert " " not in request.headers["webhook-signature"]
    with pytest.raises(Exception, match="No matching signature"):
        request.verify(old)


def test_secrets_are_sealed_in_the_table(owner: Principal) -> None:
    webhook = make_webhook(owner)
    assert len(base64.b64decode(webhook.secret.removeprefix("whsec_"))) == 32
    with connection.cursor() as sql:
        sql.execute("select secret from external_webhook")
        assert sql.fetchone()[0].startswith("v1:")


def test_the_whole_schedule_is_walked_and_then_it_is_dead(owner: Principal, receiver: Receiver) -> None:
    receiver.plan(500, b"broken")
    delivery = make_delivery(make_webhook(owner, receiver.url))
    begin = now = delivery.due_at
    times = []
    for _ in range(20):
        delivery.refresh_from_db()
        if delivery.status == "dead":
            break
        now = delivery.due_at
        assert not claim_all(now - timedelta(milliseconds=1)), "it is not sent early"
        assert len(deliver(now)) == 1
        times.append(now)

    assert delivery.status == "dead"
    gaps = [later - earlier for earlier, later in zip([begin, *times], times, strict=False)]
    assert len(gaps) == len(schedule.DELAYS) == 10
    for gap, delay in zip(gaps, schedule.DELAYS, strict=True):
        assert delay * 0.8 <= gap <= delay * 1.2
    assert any(gap != delay for gap, delay in zip(gaps, schedule.DELAYS, strict=True)), "they are spread"
    assert len({request.id for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert log_of(delivery) == [(500, "")] * 10
    assert [attempt.next_at for attempt in delivery.log.all()] == [*times[1:], None]
    assert not deliver(now + timedelta(days=2))


def test_a_receiver_that_comes_back_has_it_and_counts_as_well_again(
    owner: Principal, receiver: Receiver
) -> None:
    webhook = make_webhook(owner, receiver.url)
    delivery = make_delivery(webhook)
    receiver.plan(503)
    deliver(delivery.due_at)
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.failing_since) == (1, delivery.due_at)

    receiver.plan(204, b"")
    delivery.refresh_from_db()
    deliver(delivery.due_at)
    webhook.refresh_from_db()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 2)
    assert (webhook.failures, webhook.failing_since, webhook.held_until) == (0, None, None)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_in_full_for_all_of_the_address(
    owner: Principal, receiver: Receiver, form: str
) -> None:
    webhook = make_webhook(owner, receiver.url)
    first, now = make_delivery(webhook), timezone.now().replace(microsecond=0) + timedelta(seconds=1)
    until = now + timedelta(hours=2)
    asked = "7200" if form == "seconds" else until.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    receiver.plan(429, Retry_After=asked)
    deliver(now)
    receiver.plan(200)

    first.refresh_from_db()
    assert first.due_at == until
    make_delivery(webhook)
    assert not deliver(until - timedelta(seconds=1))
    assert len(deliver(until)) == 2


def test_a_shorter_retry_after_does_not_hasten_the_schedule(owner: Principal, receiver: Receiver) -> None:
    receiver.plan(503, Retry_After="1")
    delivery = make_delivery(make_webhook(owner, receiver.url), tries=2)
    now = delivery.due_at
    deliver(now)
    delivery.refresh_from_db()
    assert delivery.due_at - now >= schedule.DELAYS[3] * 0.8


SENSELESS = {
    "none": "",
    "words": "soon",
    "negative": "-5",
    "half": "1.5",
    "not ASCII": "²",
    "no date": "Mon, 99 Foo 9999",
    "for ever": "9" * 5000,
    "a far year": "Sun, 01 Jan 99999999999 00:00:00 GMT",
}


@pytest.mark.parametrize("name", SENSELESS)
def test_a_senseless_retry_after_is_no_trouble(name: str) -> None:
    found = schedule.retry_after(SENSELESS[name], timezone.now())
    assert found is None or timedelta(0) <= found <= schedule.LONGEST_RETRY_AFTER


def test_410_disables_at_once(owner: Principal, receiver: Receiver) -> None:
    webhook = make_webhook(owner, receiver.url)
    told, waiting = make_delivery(webhook), make_delivery(webhook, due_at=now_and(hours=1))
    receiver.plan(410)
    deliver(told.due_at)

    webhook.refresh_from_db()
    assert (webhook.status, webhook.reason) == ("disabled", "gone")
    assert set(Delivery.objects.values_list("status", flat=True)) == {"dead"}
    notice = Event.objects.get(type="webhook.disabled")
    assert notice.payload == {"webhook": str(webhook.id), "host": "127.0.0.1", "reason": "gone"}
    assert owner.user
    assert notice.audience == [owner.user.id]
    assert not deliver(now_and(days=1))
    assert len(receiver.requests) == 1
    waiting.refresh_from_db()
    assert waiting.attempts == 0


def test_a_late_word_of_an_address_it_has_left_is_not_held_against_the_new_one(
    owner: Principal, receiver: Receiver
) -> None:
    webhook = make_webhook(owner, receiver.url)
    delivery = make_delivery(webhook)
    receiver.plan(410)
    outcomes = send_all(claim_all(delivery.due_at), delivery.due_at)
    Webhook.objects.update(url="https://new.example.com/")
    record(outcomes, delivery.due_at)
    webhook.refresh_from_db()
    assert (webhook.status, webhook.failures) == ("active", 0)


def test_five_days_of_nothing_but_failures_disable_with_a_notice(
    owner: Principal, receiver: Receiver
) -> None:
    webhook = make_webhook(owner, receiver.url)
    receiver.plan(500)
    begin = now_and()
    for hours in (0, 60, 119):
        make_delivery(webhook, due_at=begin)
        deliver(begin + timedelta(hours=hours))
    webhook.refresh_from_db()
    assert webhook.is_active
    assert not Event.objects.exists()

    make_delivery(webhook, due_at=begin)
    deliver(begin + timedelta(hours=121))
    webhook.refresh_from_db()
    assert (webhook.status, webhook.reason) == ("disabled", "failing")
    assert Event.objects.get().payload["reason"] == "failing"


def test_one_success_in_five_days_keeps_it(owner: Principal, receiver: Receiver) -> None:
    webhook = make_webhook(owner, receiver.url)
    begin = now_and()
    for hours, status in ((0, 500), (100, 200), (121, 500)):
        receiver.plan(status)
        make_delivery(webhook, due_at=begin + timedelta(hours=hours))
        deliver(begin + timedelta(hours=hours))
    webhook.refresh_from_db()
    assert webhook.is_active


def test_the_log_is_kept_for_thirty_days(owner: Principal) -> None:
    webhook, now = make_webhook(owner), timezone.now()
    old = make_delivery(webhook, status="dead", ended_at=now - timedelta(days=31))
    Attempt.objects.create(delivery=old, number=1, started_at=now)
    recent = make_delivery(webhook, status="delivered", ended_at=now - timedelta(days=29))
    waiting = make_delivery(webhook, created_at=now - timedelta(days=40))
    assert trim(now) == 1
    assert set(Delivery.objects.all()) == {recent, waiting}
    assert trim(now) == 0
