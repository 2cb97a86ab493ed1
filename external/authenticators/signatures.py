"""Requests signed with a shared secret, as Standard Webhooks has it (version 1.0.0: HMAC-SHA256)."""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from external.authenticators.proofs import Given, Presented, Proof

WINDOW = 300  # seconds a timestamp may be off, either way
MOST_SIGNATURES = 5
PREFIX = "whsec_"
# A point separates id, time and body in what is signed: an id that holds one could be split elsewhere.
_ID = re.compile(r"[!-\-/-~]{1,255}")
_TIME = re.compile(r"[0-9]{1,12}")


class SignatureVerifier:
    """Signed is `<id>.<timestamp>.<body>`. Each request, also a repeated one, has an id of its own."""

    LABEL: ClassVar = "Request signed with a shared secret (HMAC)"
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    SHARED: ClassVar = "whsec_ and the Base64 of 24 to 64 random bytes"

    def __init__(self, given: Given) -> None:
        try:
            self.secret = base64.b64decode(given.secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            self.secret = b""
        if not given.secret.startswith(PREFIX) or not 24 <= len(self.secret) <= 64:
            raise ValueError("its secret must be whsec_ and the Base64 of 24 to 64 random bytes")

    def verify(self, presented: Presented) -> Proof | None:
        headers = presented.headers
        proof_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if presented.body is None or "authorization" in headers:
            return None
        if not _ID.fullmatch(proof_id) or not _TIME.fullmatch(stamp):
            return None
        if abs(time.time() - int(stamp)) > WINDOW:
            return None
        signed = f"{proof_id}.{stamp}.".encode() + presented.body
        expected = b"v1," + base64.b64encode(hmac.digest(self.secret, signed, "sha256"))
        offered = headers.get("webhook-signature", "").encode("latin-1", "replace").split()[:MOST_SIGNATURES]
        if not any(hmac.compare_digest(expected, each) for each in offered):
            return None
        return Proof(once=proof_id, once_until=datetime.fromtimestamp(int(stamp) + 2 * WINDOW, UTC))
