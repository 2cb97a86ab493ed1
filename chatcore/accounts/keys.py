"""Keys of integrations: how one is written, made, recognised and ended.

`cc_live_<id 12>_<secret 32>_<checksum 6>`, base62. The checksum (CRC-32 of what stands before it) refuses
a typo without a query and lets leak scanners tell a key from noise; it protects nothing.
"""

import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from chatcore.accounts.models import Integration, Key
from chatcore.errors import Conflict
from chatcore.prepared import Prepared

PREFIX = "cc_live_"
LIVE_KEYS = 2
OVERLAP = timedelta(hours=24)
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHAPE = re.compile(r"(cc_live_([0-9A-Za-z]{12})_[0-9A-Za-z]{32})_([0-9A-Za-z]{6})")


class TooManyKeys(Conflict):
    """An integration has at most two live keys. Revoke one first."""

    code = "too_many_keys"
    remedy = "Revoke a key that is not needed any more, or rotate: that ends the older one by itself."


@dataclass(frozen=True)
class KeyText:
    """A well-formed key: its public id, and the whole text it was read from."""

    public_id: str
    text: str


def looks_like_key(text: str) -> bool:
    return text.startswith("cc_")


def parse(text: str) -> KeyText | None:
    """None where the text is no key or its checksum is wrong. Asks nobody."""
    match = _SHAPE.fullmatch(text)
    if match is None or not hmac.compare_digest(_checksum(match[1]), match[3]):
        return None
    return KeyText(match[2], text)


def mint(integration: Integration, expires_at: datetime | None = None) -> tuple[Key, str]:
    """A new key and its text, which nothing can show again."""
    with transaction.atomic():
        _lock(integration)
        if integration.keys.live().count() >= LIVE_KEYS:
            raise TooManyKeys
        return _make(integration, expires_at)


def rotate(integration: Integration, overlap: timedelta = OVERLAP) -> tuple[Key, str]:
    """A new key. The newest before it lives on for `overlap` at most, any older one ends at once."""
    with transaction.atomic():
        _lock(integration)
        until = timezone.now() + overlap
        live = list(integration.keys.live().order_by("-created_at", "-pk"))
        for key in live[:1]:
            key.expires_at = min(key.expires_at or until, until)
            key.save(update_fields=["expires_at"])
        for key in live[1:]:
            revoke(key)
        return _make(integration, None)


def revoke(key: Key) -> None:
    """End it now. The time of the first revocation stays."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])


_usable: Prepared[Key] = Prepared(lambda public_id: Key.objects.usable().filter(public_id=public_id), str)


def find(text: str) -> Key | None:
    """The usable key with this text, and its `role` (see KeyQuerySet.usable), in one query; else None."""
    parsed = parse(text)
    if parsed is None:
        return None
    key = _usable.first(parsed.public_id)
    if key is None or key.pepper not in settings.KEY_PEPPERS:
        return None
    return key if hmac.compare_digest(digest(text, key.pepper), key.digest) else None


def note_use(key: Key) -> None:
    """Write last_used_at, once a minute at most, however many processes see the key."""
    minute_ago = timezone.now() - timedelta(minutes=1)
    if key.last_used_at is None or key.last_used_at < minute_ago:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=minute_ago)
        Key.objects.filter(stale, pk=key.pk).update(last_used_at=Now())


def digest(text: str, pepper: int) -> str:
    """HMAC-SHA256 under the numbered pepper, in hexadecimal."""
    return hmac.digest(bytes.fromhex(settings.KEY_PEPPERS[pepper]), text.encode(), "sha256").hex()


def _make(integration: Integration, expires_at: datetime | None) -> tuple[Key, str]:
    public_id = _random(12)
    body = f"{PREFIX}{public_id}_{_random(32)}"
    text = f"{body}_{_checksum(body)}"
    pepper = max(settings.KEY_PEPPERS)
    key = integration.keys.create(
        public_id=public_id, digest=digest(text, pepper), pepper=pepper, expires_at=expires_at
    )
    return key, text


def _lock(integration: Integration) -> None:
    """Two hands minting at once count one after the other."""
    Integration.objects.select_for_update().get(pk=integration.pk)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
