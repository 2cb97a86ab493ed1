"""Sending in a test, step by step, at a time of its own choosing."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from external.models import Delivery
from external.webhooks.claims import Claim, claim_due
from external.webhooks.outcomes import record
from external.webhooks.sending import Outcome, send


def claim_all(now: datetime, room: int = 100) -> list[Claim]:
    """What a worker with so much room would take, of webhooks that are well and of those in trouble."""
    return [*claim_due(room, now), *claim_due(room, now, troubled=True)]


def send_all(claims: Iterable[Claim], now: datetime) -> list[Outcome]:
    async def together() -> list[Outcome]:
        return list(await asyncio.gather(*(send(claim, now) for claim in claims)))

    return asyncio.run(together())


def deliver(now: datetime) -> list[Outcome]:
    """Take, send and record once what is due."""
    outcomes = send_all(claim_all(now), now)
    record(outcomes, now)
    return outcomes


def now_and(**later: float) -> datetime:
    """Now, and so many seconds, hours … later."""
    return timezone.now() + timedelta(**later)


def log_of(delivery: Delivery) -> list[tuple[int | None, str]]:
    """Status and code of each attempt."""
    return list(delivery.log.values_list("status", "code"))
