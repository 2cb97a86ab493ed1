"""Idempotency-Key: a request that is sent again is answered, not carried out, again.

The key is claimed, the work done and the answer kept in one transaction. Whoever finds the first one at work waits
outside of Postgres: a waiter that held a connection would keep everybody else from getting one.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from chatcore import rows
from chatcore.accounts.models import Integration
from chatcore.errors import Malformed
from chatcore.offload import in_request
from external.errors import IdempotencyKeyBusy, IdempotencyKeyReused
from external.models import IdempotencyRecord

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
WAIT_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.05
KEPT = timedelta(days=7)
_SHAPE = re.compile(r'"([\x21\x23-\x7e]{16,255})"|([\x21\x23-\x7e]{16,255})')


@dataclass(frozen=True)
class Answer:
    """What a request is answered with: a JSON document and its status."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


Work = Callable[[], Answer]


@dataclass(frozen=True)
class Claim:
    """One key of one integration at one route, for one request."""

    integration: Integration
    route: str
    key: str
    fingerprint: bytes

    @property
    def lock(self) -> int:
        """A number for Postgres' advisory locks, of 64 bits."""
        text = f"{self.integration.id}/{self.route}/{self.key}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def key_of(request: HttpRequest) -> str | None:
    """The header's key, bare or quoted. Raises Malformed."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise Malformed(f"{HEADER} takes 16 to 255 visible characters, bare or in quotation marks.")
    return found[1] or found[2]


def fingerprint(request: HttpRequest, route: str, body: bytes, acting: str) -> bytes:
    """SHA-256 of what makes two requests the same one; `acting` names the user who came along."""
    digest = hashlib.sha256()
    for part in (str(request.method).encode(), route.encode(), body, acting.encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


async def once(claim: Claim, work: Work) -> Answer:
    """The answer of the first request with this key, which is this one if no other came before.

    Raises IdempotencyKeyReused for another request under the same key, IdempotencyKeyBusy when the first one takes too
    long. What `work` raises is raised, and nothing is kept.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    while True:
        answer = await in_request(carry_out, claim, work)
        if answer is not None:
            return answer
        if loop.time() >= deadline:
            raise IdempotencyKeyBusy(retry_after=1)
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


@transaction.atomic
def carry_out(claim: Claim, work: Work) -> Answer | None:
    """One attempt; None while another transaction holds the key."""
    with connection.cursor() as sql:
        sql.execute("select pg_try_advisory_xact_lock(%s)", [claim.lock])
        if not sql.fetchone()[0]:
            return None
    kept = IdempotencyRecord.objects.filter(
        integration=claim.integration, route=claim.route, key=claim.key
    ).first()
    if kept is not None and kept.created_at > timezone.now() - KEPT:
        if bytes(kept.fingerprint) != claim.fingerprint:
            raise IdempotencyKeyReused
        return Answer(kept.status, json.loads(kept.body), replayed=True)
    if kept is not None:
        kept.delete()
    answer = work()
    IdempotencyRecord(
        integration=claim.integration,
        route=claim.route,
        key=claim.key,
        fingerprint=claim.fingerprint,
        status=answer.status,
        body=rows.json_text(answer.body),
    ).save(force_insert=True)
    return answer


def forget_old(batch: int = 10_000) -> int:
    """Delete records that are answered no more, up to a batch; returns how many."""
    old = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
    return IdempotencyRecord.objects.filter(id__in=old.values("id")[:batch]).delete()[0]
