"""Replies on their way back to the vendor by whom the question came: queued with their final save, sent by a job."""

import json
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from chatcore import jobs, rows
from chatcore.errors import ChatcoreError
from chatcore.offload import offload
from external.adapters.adapter import Adapter, NotSent
from external.adapters.registry import adapters
from external.models import ReplyPart
from external.sources.opening import adapter_of

log = logging.getLogger(__name__)

RETURN = "external.return_reply"
CLAIM_SECONDS = 30  # longer than one request may take
WAITS = (2, 10, 60, 300, 1_800, 3_600)  # seconds before each further attempt
LONGEST_WAIT = 3_600


def queue_replies(reply_ids: Sequence[uuid.UUID]) -> None:
    """In the transaction in which they become whole: the parts of those whose questions came through a source."""
    for reply_id, text, source_id, adapter, address in rows.execute(_ANSWERS, {"replies": list(reply_ids)}):
        known = adapters().get(adapter)
        if known is None or not known.REPLY_LENGTH or not text.strip():
            continue
        ReplyPart.objects.bulk_create(
            ReplyPart(
                source_id=source_id, message_id=reply_id, part=number, text=part, address=json.loads(address)
            )
            for number, part in enumerate(parts_of(text.strip(), known.REPLY_LENGTH))
        )
        jobs.defer(RETURN, reply_id=str(reply_id))


def parts_of(text: str, longest: int) -> Iterator[str]:
    """The text in pieces of at most that many characters, cut at a paragraph, a line or a word where there is one."""
    while len(text) > longest:
        head = text[: longest + 1]
        cuts = (head.rfind(mark) for mark in ("\n\n", "\n", " "))
        cut = next((place for place in cuts if place > longest // 2), longest)
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    if text:
        yield text


@dataclass(frozen=True)
class Claim:
    """One part that this worker sends, under this attempt."""

    part: ReplyPart
    adapter: Adapter


async def return_reply(reply_id: uuid.UUID) -> None:
    """Send what is left of it, one part after the other. What fails for now is left to a later job."""
    while (claim := await offload(claim_next, reply_id)) is not None:
        sent = await send(claim)
        await offload(settle, claim.part, sent)
        if isinstance(sent, NotSent):
            return


async def send(claim: Claim) -> str | NotSent:
    """The vendor's id of the message, or why it has none."""
    try:
        return await claim.adapter.reply(claim.part.address, claim.part.text)
    except NotSent as error:
        return error
    except ChatcoreError as error:
        return NotSent(error.detail, retryable=error.retryable)


@transaction.atomic
def claim_next(reply_id: uuid.UUID) -> Claim | None:
    """The first part that is not sent yet. None: all are, one has failed for good, or another worker has it."""
    parts = ReplyPart.objects.filter(message=reply_id)
    first = parts.filter(status="queued").order_by("part").values_list("id", flat=True).first()
    if first is None:
        return None
    now = timezone.now()
    is_free = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - timedelta(seconds=CLAIM_SECONDS))
    if not parts.filter(is_free, id=first, status="queued").update(
        claimed_at=now, attempts=F("attempts") + 1
    ):
        again(reply_id, CLAIM_SECONDS)
        return None
    part = ReplyPart.objects.select_related("source").defer("source__sealed").get(id=first)
    try:
        return Claim(part, adapter_of(part.source))
    except (ChatcoreError, KeyError) as error:
        log.error("reply %s cannot go back through source %s: %s", reply_id, part.source_id, error)
        settle(part, NotSent("The source cannot be used: enter its secrets anew.", retryable=False))
        return None


@transaction.atomic
def settle(part: ReplyPart, sent: str | NotSent) -> None:
    """What has come of this attempt: another one later, or the end for this part and those that would follow it."""
    if isinstance(sent, str):
        _fenced(part).update(status="sent", vendor_id=sent[:200], error="", updated_at=timezone.now())
    elif sent.retryable and part.attempts <= len(WAITS):
        if _fenced(part).update(claimed_at=None, error=str(sent)[:500], updated_at=timezone.now()):
            usual = WAITS[part.attempts - 1]
            again(part.message_id, min(max(sent.retry_after or 0, usual), LONGEST_WAIT))
    elif _fenced(part).update(status="failed", error=str(sent)[:500], updated_at=timezone.now()):
        left = ReplyPart.objects.filter(message=part.message_id, status="queued")
        left.update(status="failed", error="A part before it was not sent.", updated_at=timezone.now())


def again(reply_id: uuid.UUID, seconds: int) -> None:
    later = jobs.app.configure_task(RETURN, allow_unknown=False, schedule_in={"seconds": seconds})
    jobs.defer(later, reply_id=str(reply_id))


def _fenced(part: ReplyPart) -> QuerySet[ReplyPart]:
    return ReplyPart.objects.filter(id=part.id, attempts=part.attempts, status="queued")


_ANSWERS = """
select reply.id, reply.text, arrival.source_id, source.adapter, arrival.address::text
from conversations_message reply
join external_arrival arrival on arrival.message_id = reply.parent_id and arrival.address <> '{}'
join external_source source on source.id = arrival.source_id and source.enabled
join accounts_integration integration on integration.id = source.integration_id and integration.enabled
where reply.id = any(%(replies)s::uuid[])
"""
