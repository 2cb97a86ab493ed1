"""Published keys of identity providers (JWKS, RFC 7517), fetched through the guard and kept in the database.

They are fetched anew when they are an hour old or a key is not among them, once a minute at most, by the one
request that is first to need it. While the provider is away the old ones stay good for a week.
"""

import json
import logging
import uuid
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import Q
from django.utils import timezone

from chatcore.errors import ChatcoreError
from chatcore.offload import give_back
from chatcore.security.outbound import Limits, fetch
from external.models import KeySet

log = logging.getLogger(__name__)

FRESH = timedelta(hours=1)
GOOD = timedelta(days=7)
PAUSE = timedelta(minutes=1)
LIMITS = Limits(connect_seconds=2, total_seconds=4, max_bytes=256 * 1024)
MOST_KEYS = 100
PUBLIC = ("kty", "use", "alg", "kid", "n", "e", "crv", "x", "y")


def signing_key(authenticator_id: uuid.UUID, url: str, key_id: str | None) -> dict[str, Any] | None:
    """The key with this id; without one, the only key there is. May ask the provider."""
    now = timezone.now()
    kept = KeySet.objects.filter(pk=authenticator_id).first()
    age = now - kept.fetched_at if kept and kept.fetched_at else None
    key = _chosen(kept.keys, key_id) if kept and age is not None and age < GOOD else None
    if key is not None and age is not None and age < FRESH:
        return key
    if not _may_ask(authenticator_id):
        return key
    fetched = _fetched(authenticator_id, url)
    if fetched is None:
        return key
    KeySet.objects.filter(pk=authenticator_id).update(keys=fetched, fetched_at=now)
    return _chosen(fetched, key_id)


def _chosen(keys: list[dict[str, Any]], key_id: str | None) -> dict[str, Any] | None:
    found = [each for each in keys if key_id is None or each.get("kid") == key_id]
    return found[0] if len(found) == 1 else None


def _may_ask(authenticator_id: uuid.UUID) -> bool:
    """One request a minute may, of all processes."""
    KeySet.objects.bulk_create([KeySet(pk=authenticator_id)], ignore_conflicts=True)
    long_ago = Q(tried_at=None) | Q(tried_at__lt=timezone.now() - PAUSE)
    return bool(KeySet.objects.filter(long_ago, pk=authenticator_id).update(tried_at=timezone.now()))


def _fetched(authenticator_id: uuid.UUID, url: str) -> list[dict[str, Any]] | None:
    give_back()  # nobody waits for a connection while this waits for the provider
    try:
        answer = async_to_sync(fetch)("GET", url, headers={"accept": "application/json"}, limits=LIMITS)
        if answer.status != 200:
            raise ValueError(f"it answered {answer.status}")
        keys = json.loads(answer.body)["keys"]
        if not isinstance(keys, list) or not all(isinstance(each, dict) for each in keys[:MOST_KEYS]):
            raise ValueError("it published no list of keys")
    except (ChatcoreError, LookupError, RecursionError, TypeError, ValueError) as error:
        log.warning("the keys of authenticator %s cannot be fetched: %s", authenticator_id, error)
        return None
    return [_public(each) for each in keys[:MOST_KEYS]]


def _public(key: dict[str, Any]) -> dict[str, Any]:
    """A provider that publishes its private key by mistake has not told it to us."""
    texts = {name: key[name] for name in PUBLIC if isinstance(key.get(name), str)}
    return {name: text for name, text in texts.items() if text.isprintable()}
