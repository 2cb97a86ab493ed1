"""Replies of which nothing is kept: while they are made, budgets and integrations know of them as of all others."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models.functions import Now

from chatcore.accounts.models import Integration
from chatcore.offload import offload
from chatcore.usage import spending
from chatcore.usage.actions import Call, record
from chatcore.usage.spending import Asked
from conversations.ledger import keep_concurrency
from conversations.models import UnstoredReply

log = logging.getLogger(__name__)

EXPIRES = timedelta(seconds=60)
RENEW_SECONDS = 15.0


@transaction.atomic
def begin_unstored(asked: Asked, integration: Integration | None) -> bool:
    """Whether a budget holds something for it, for `end_unstored`.

    Raises TooManyReplies, BudgetExceeded or PriceUnknown: then it is not to be made.
    """
    UnstoredReply.objects.create(id=asked.message, integration=integration, expires_at=Now() + EXPIRES)
    keep_concurrency({integration} if integration else ())
    return spending.reserve(asked)


@transaction.atomic
def end_unstored(reply_id: uuid.UUID, *calls: Call, is_reserved: bool) -> None:
    """Write the call, if one was made, and give back what was held for it."""
    UnstoredReply.objects.filter(id=reply_id).delete()
    record(*calls, unmade=[reply_id] if is_reserved else ())


@contextlib.asynccontextmanager
async def kept_alive(reply_id: uuid.UUID) -> AsyncIterator[None]:
    """As long as this lasts, the reply does not expire."""
    renewing = asyncio.ensure_future(_renew(reply_id))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(reply_id: uuid.UUID) -> None:
    row = UnstoredReply.objects.filter(id=reply_id)
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await offload(row.update, expires_at=Now() + EXPIRES)
        except DatabaseError as error:
            log.warning("the reply %s cannot be renewed now: %s", reply_id, error)


def running_unstored(replies: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    running = UnstoredReply.objects.filter(id__in=replies, expires_at__gt=Now())
    return set(running.values_list("id", flat=True))


def sweep_unstored() -> None:
    """Those whose processes are lost. What was set aside for them is given back as for all that do not run."""
    UnstoredReply.objects.filter(expires_at__lt=Now()).delete()
