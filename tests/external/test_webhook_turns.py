"""Whose turn it is: few at a time for each address, in order where wished, once more where a sender was lost."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_django import Settings

from chatcore.accounts.principals import Principal
from external.models import Delivery, Webhook
from external.webhooks import schedule
from external.webhooks.claims import LEASE, claim_due, release
from external.webhooks.outcomes import record, record_each
from tests.external.factories import make_delivery, make_webhook
from tests.external.receivers import Receiver
from tests.external.sending import claim_all, deliver, log_of, now_and, send_all
from tests.factories import make_key_principal, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


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
