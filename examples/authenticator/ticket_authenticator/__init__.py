import hashlib
import hmac
import time

from external.authenticators.proofs import Proof


class TicketAuthenticator:
    LABEL = "Ticket of the house"
    OPTIONS = {"header": "the header that carries the ticket, by default X-Ticket"}

    def __init__(self, given):
        if len(given.secret) < 32:
            raise ValueError("its secret must have at least 32 characters")
        self.secret = given.secret.encode()
        self.header = given.options.get("header", "X-Ticket").lower()

    def verify(self, presented):
        """A ticket is `<e-mail> <seconds since 1970 when it ends> <hexadecimal HMAC-SHA256 of both>`."""
        parts = presented.headers.get(self.header, "").split(" ")
        if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit()):
            return None
        email, until, mark = parts
        expected = hmac.new(self.secret, f"{email} {until}".encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), mark.encode()) or int(until) < time.time():
            return None
        return Proof(user=email)
