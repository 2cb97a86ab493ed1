import hashlib
import hmac
import time
import uuid

import pytest
from ticket_authenticator import TicketAuthenticator

from external.authenticators.proofs import Given, Presented, Proof

SECRET = "a secret of at least thirty-two characters"  # noqa: S105


def verify(ticket):
    authenticator = TicketAuthenticator(Given(uuid.uuid4(), {}, SECRET))
    return authenticator.verify(Presented({"x-ticket": ticket}, b""))


def make_ticket(email="ada@example.com", seconds=60, secret=SECRET):
    text = f"{email} {int(time.time()) + seconds}"
    return f"{text} {hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"


def test_a_ticket_says_who_it_is():
    assert verify(make_ticket()) == Proof(user="ada@example.com")


@pytest.mark.parametrize(
    "ticket",
    ["", "a b", "a b c", make_ticket(seconds=-60), make_ticket(secret="x" * 32), make_ticket() + "0"],
)
def test_another_does_not(ticket):
    assert verify(ticket) is None
