"""Signatures as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.body`, keyed by a secret `whsec_…`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

PREFIX = "whsec_"
OVERLAP = timedelta(hours=24)  # for which a secret that was replaced goes on signing beside the new one


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Signing:
    """A webhook's secrets. The repr of it may get into a log, so it has none."""

    secret: str = field(repr=False)
    previous: str = field(default="", repr=False)
    rotated_at: datetime | None = None

    def keys(self, now: datetime) -> tuple[str, ...]:
        """With which is signed at that time, the newest first."""
        overlaps = self.previous and self.rotated_at is not None and now < self.rotated_at + OVERLAP
        return (self.secret, self.previous) if overlaps else (self.secret,)


def headers(message_id: str, body: bytes, now: datetime, keys: Iterable[str]) -> dict[str, str]:
    """The three headers of one attempt. A receiver accepts any of the signatures."""
    timestamp = str(int(now.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
