"""Signatures as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.body`, keyed by a secret `whsec_…`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

PREFIX = "whsec_"
OVERLAP = timedelta(hours=24)  # for which a secret that was replaced goes on signing beside the new one


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secrets_at(now: datetime, secret: str, previous: str, rotated_at: datetime | None) -> tuple[str, ...]:
    """With which is signed at that time, the newest first."""
    overlaps = previous and rotated_at is not None and now < rotated_at + OVERLAP
    return (secret, previous) if overlaps else (secret,)


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
