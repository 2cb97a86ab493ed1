"""When a delivery is tried again, and how long an address in trouble is left alone."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
# Before each attempt, from the attempt before it.
DELAYS = (
    timedelta(0),
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
JITTER = 0.2
LONGEST_RETRY_AFTER = timedelta(days=30)  # a delivery is not kept for longer

THRESHOLD = 5  # failures in a row from which an address counts as troubled
FIRST_HOLD, LONGEST_HOLD = 30 * SECOND, 10 * MINUTE
GIVE_UP_AFTER = timedelta(days=5)


def next_attempt(
    tries: int,
    now: datetime,
    retry_after: timedelta | None = None,
    draw: Callable[[float, float], float] = random.uniform,
) -> datetime | None:
    """When to try again after so many failed tries; None when they are used up. Never before `retry_after`."""
    if tries >= len(DELAYS):
        return None
    delay: timedelta = DELAYS[tries] * draw(1 - JITTER, 1 + JITTER)
    return now + max(delay, retry_after or delay)


def hold(failures: int) -> timedelta | None:
    """How long nothing is sent to an address that failed so often in a row; None while it is not troubled."""
    if failures < THRESHOLD:
        return None
    doublings = min(failures - THRESHOLD, 10)
    length: timedelta = FIRST_HOLD * 2**doublings
    return min(length, LONGEST_HOLD)


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for, in seconds or as a date (RFC 9110, 10.2.3); None where it says nothing."""
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:12]), LONGEST_RETRY_AFTER.total_seconds()))
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), LONGEST_RETRY_AFTER)
