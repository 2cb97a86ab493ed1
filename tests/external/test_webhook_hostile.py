"""Receivers that mean no good, or are no receivers: each is one failed attempt, and nothing worse."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from pytest_django import Settings

from chatcore.accounts.principals import Principal
from chatcore.security.outbound import Limits
from external.webhooks import sending
from tests.external.factories import make_delivery, make_webhook
from tests.external.receivers import Receiver, drip, endless, hang, receiving
from tests.external.sending import deliver, log_of
from tests.factories import make_principal

pytestmark = pytest.mark.django_db
BRIEF = Limits(connect_seconds=5, total_seconds=0.3, max_bytes=sending.KEPT_BYTES, on_excess="cut")


@pytest.fixture
def owner() -> Principal:
    return make_principal()


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
