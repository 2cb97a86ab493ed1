"""Deliveries on their way: signed, tried again by the schedule, held, given up, and never sent by two at a time."""

import base64
import gzip
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from chatcore.accounts.principals import Principal
from chatcore.realtime.models import Event
from chatcore.security.outbound import Limits
from external.models import Attempt, Delivery, Webhook
from external.webhooks import schedule, sending
from external.webhooks.actions import rotate_secret
from external.webhooks.claims import LEASE, claim_due, release
from external.webhooks.outcomes import record, record_each
from external.webhooks.tasks import trim
from tests.external.factories import make_delivery, make_webhook
from tests.external.receivers import Receiver, drip, endless, hang, receiving
from tests.external.sending import claim_all, deliver, send_all
from tests.factories import make_key_principal, make_principal

pytestmark = pytest.mark.django_db
BRIEF = Limits(connect_seconds=5, total_seconds=0.3, max_bytes=sending.KEPT_BYTES, on_excess="cut")


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def now_and(**later: float) -> datetime:
    return timezone.now() + timedelta(**later)


def log_of(delivery: Delivery) -> list[tuple[int | None, str]]:
    return list(delivery.log.values_list("status", "code"))


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


# --- Hostile receivers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [hang, drip])
def test_one_that_does_not_come_to_its_end_is_left(
    owner: Principal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    monkeypatch.setattr(sending, "LIMITS", BRIEF)
    receiver.write = write  # type: ignore[assignment]
    delivery = make_delivery(make_webhook(owner, receiver.url))
    deliver(delivery.due_at)
    delivery.refresh_from_db()
    assert delivery.status == "pending"
    assert log_of(delivery) == [(None, "outbound_timed_out")]


def test_of_an_endless_answer_the_beginning_is_kept(owner: Principal, receiver: Receiver) -> None:
    receiver.write = endless
    delivery = make_delivery(make_webhook(owner, receiver.url))
    deliver(delivery.due_at)
    attempt = delivery.log.get()
    assert (attempt.status, attempt.answer) == (200, "e" * 4096)


def test_a_bomb_is_not_unpacked(owner: Principal, receiver: Receiver) -> None:
    receiver.plan(200, gzip.compress(b"b" * 50_000_000), Content_Encoding="gzip")
    delivery = make_delivery(make_webhook(owner, receiver.url))
    deliver(delivery.due_at)
    assert delivery.log.get().answer == "b" * 4096


def test_what_is_no_text_is_kept_as_far_as_it_can_be_read(owner: Principal, receiver: Receiver) -> None:
    receiver.plan(500, b"\x00\xff\xfe oh")
    delivery = make_delivery(make_webhook(owner, receiver.url))
    deliver(delivery.due_at)
    assert delivery.log.get().answer == "\ufffd\ufffd\ufffd oh"


def test_a_redirect_is_a_failure_and_is_not_followed(owner: Principal, receiver: Receiver) -> None:
    with receiving() as inside:
        receiver.plan(307, Location=inside.url)
        delivery = make_delivery(make_webhook(owner, receiver.url))
        deliver(delivery.due_at)
        assert inside.requests == []
    delivery.refresh_from_db()
    assert (delivery.status, log_of(delivery)) == ("pending", [(307, "")])


def test_an_address_that_may_not_be_called_any_more_is_not(
    owner: Principal, receiver: Receiver, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOW = []
    delivery = make_delivery(make_webhook(owner, receiver.url))
    deliver(delivery.due_at)
    assert log_of(delivery) == [(None, "address_refused")]
    assert receiver.requests == []


def test_nobody_there(owner: Principal, receiver: Receiver) -> None:
    with receiving() as gone:
        url = gone.url
    delivery = make_delivery(make_webhook(owner, url))
    deliver(delivery.due_at)
    assert log_of(delivery) == [(None, "outbound_unreachable")]


# --- Whose turn it is ----------------------------------------------------------------------------------------------


def test_five_at_a_time_for_one_address_and_others_are_not_held_up(owner: Principal) -> None:
    busy, other = make_webhook(owner), make_webhook(owner)
    for _ in range(12):
        make_delivery(busy)
    late = make_delivery(other)
    now = now_and(seconds=1)

    taken = claim_due(6, now)

    assert [claim.webhook for claim in taken].count(busy.id) == 5
    assert late.id in {claim.id for claim in taken}
    assert claim_due(100, now) == [], "those five are still on their way"
    assert len(claim_due(100, now + LEASE)) == 6, "their sender is lost"


def test_with_little_room_each_address_comes_before_any_comes_twice(owner: Principal) -> None:
    webhooks = [make_webhook(owner) for _ in range(4)]
    for webhook in webhooks:
        for _ in range(5):
            make_delivery(webhook)
    taken = claim_due(4, now_and(seconds=1))
    assert {claim.webhook for claim in taken} == {webhook.id for webhook in webhooks}


def test_an_address_in_trouble_is_left_alone_and_then_asked_once(
    owner: Principal, receiver: Receiver
) -> None:
    receiver.plan(500)
    webhook = make_webhook(owner, receiver.url)
    now = now_and()
    for _ in range(15):
        make_delivery(webhook, due_at=now)
    assert len(deliver(now)) == 5
    webhook.refresh_from_db()
    assert webhook.failures == 5
    assert webhook.held_until == now + schedule.FIRST_HOLD
    assert not deliver(now + timedelta(seconds=29))

    probed = now + timedelta(seconds=31)
    assert len(deliver(probed)) == 1
    webhook.refresh_from_db()
    assert webhook.held_until == probed + 2 * schedule.FIRST_HOLD
    assert claim_due(100, probed + timedelta(minutes=2)) == [], "it waits among the troubled"

    receiver.plan(200)
    assert len(deliver(probed + timedelta(minutes=2))) == 1
    assert len(deliver(probed + timedelta(minutes=2))) == 5, "it is well again"


def test_in_order_the_next_waits_for_the_one_before_it(owner: Principal, receiver: Receiver) -> None:
    webhook = make_webhook(owner, receiver.url, ordered=True)
    now = now_and()
    first, second, third = (make_delivery(webhook, due_at=now) for _ in range(3))
    receiver.plan(500)
    assert [out.claim.id for out in deliver(now)] == [first.id]
    assert not deliver(now), "the first is tried again later, and the second waits for it"

    receiver.plan(200)
    first.refresh_from_db()
    (claim,) = claim_all(first.due_at)
    assert claim.id == first.id
    assert not claim_all(first.due_at), "the second waits while the first is on its way"
    record(send_all([claim], first.due_at), first.due_at)
    later = first.due_at
    assert [out.claim.id for out in deliver(later) + deliver(later)] == [second.id, third.id]


def test_in_order_one_that_is_given_up_lets_the_next_pass(owner: Principal, receiver: Receiver) -> None:
    webhook = make_webhook(owner, receiver.url, ordered=True)
    now = now_and()
    first = make_delivery(webhook, due_at=now, tries=9)
    second = make_delivery(webhook, due_at=now)
    receiver.plan(500)
    deliver(now)
    first.refresh_from_db()
    assert first.status == "dead"
    assert [claim.id for claim in claim_all(now)] == [second.id]


def test_a_lost_sender_is_in_the_log_and_another_sends_the_same(owner: Principal, receiver: Receiver) -> None:
    delivery = make_delivery(make_webhook(owner, receiver.url))
    now = delivery.due_at
    lost = send_all(claim_all(now), now)  # its worker dies before it tells
    assert not claim_all(now + LEASE - timedelta(seconds=1))

    deliver(now + LEASE)

    one, other = receiver.requests
    assert (one.id, one.body) == (other.id, other.body)
    assert log_of(delivery) == [(None, "sender_lost"), (200, "")]
    assert record(lost, now + LEASE) == 0, "what it tells too late changes nothing"
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.log.count()) == ("delivered", 2, 2)


def test_what_a_disabled_integration_has_asked_for_stays_here(owner: Principal) -> None:
    integration = make_key_principal(owner).integration
    assert integration
    webhook = make_webhook(owner, integration=integration)
    make_delivery(webhook)
    integration.enabled = False
    integration.save()
    assert not claim_all(now_and(seconds=1))
    assert not Webhook.objects.active().exists()
    integration.enabled = True
    integration.save()
    assert len(claim_all(now_and(seconds=1))) == 1


def test_what_is_given_back_is_no_try_and_due_at_once(owner: Principal) -> None:
    delivery = make_delivery(make_webhook(owner))
    now = delivery.due_at
    release(claim_all(now), now)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries, delivery.due_at) == ("pending", 0, now)
    assert len(claim_all(now)) == 1


def test_a_secret_that_cannot_be_read_holds_up_its_own_webhook_alone(
    owner: Principal, receiver: Receiver, settings: Settings
) -> None:
    broken = make_delivery(make_webhook(owner, receiver.url))
    settings.CREDENTIAL_KEYS = {1: settings.CREDENTIAL_KEYS[1], 2: "ab" * 32}
    fine = make_delivery(make_webhook(owner, receiver.url))
    settings.CREDENTIAL_KEYS = {2: "ab" * 32}
    deliver(now_and(seconds=1))
    assert log_of(broken) == [(None, "credential_unreadable")]
    assert log_of(fine) == [(200, "")]


def test_what_cannot_be_written_costs_the_others_nothing(owner: Principal, receiver: Receiver) -> None:
    webhook = make_webhook(owner, receiver.url)
    deliveries = [make_delivery(webhook) for _ in range(3)]
    now = now_and(seconds=1)
    outcomes = send_all(claim_all(now), now)
    spoilt = [replace(out, answer="\x00") if n == 1 else out for n, out in enumerate(outcomes)]
    record_each(spoilt, now)
    statuses = [Delivery.objects.get(pk=each.pk).status for each in deliveries]
    assert statuses == ["delivered", "sending", "delivered"]


def test_the_log_is_kept_for_thirty_days(owner: Principal) -> None:
    webhook, now = make_webhook(owner), timezone.now()
    old = make_delivery(webhook, status="dead", ended_at=now - timedelta(days=31))
    Attempt.objects.create(delivery=old, number=1, started_at=now)
    recent = make_delivery(webhook, status="delivered", ended_at=now - timedelta(days=29))
    waiting = make_delivery(webhook, created_at=now - timedelta(days=40))
    assert trim(now) == 1
    assert set(Delivery.objects.all()) == {recent, waiting}
    assert trim(now) == 0


def test_a_wrong_length_of_the_answer_is_no_answer(owner: Principal, receiver: Receiver) -> None:
    def cut(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"cut")
        handler.close_connection = True

    receiver.write = cut
    delivery = make_delivery(make_webhook(owner, receiver.url))
    deliver(delivery.due_at)
    assert log_of(delivery) == [(None, "outbound_unreachable")]
