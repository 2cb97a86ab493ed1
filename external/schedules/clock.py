"""When a cron expression is due, by the clock on the wall of its time zone.

A time that the clocks skip in spring is due when they have skipped it; one that they show twice in autumn is due the
first time. Expressions for every hour (`*` in its place) go by real time instead: no hour is left out, none counts once
that is there twice.
"""

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter

from chatcore.texts import checked_text, refused

MAX_CRON_LENGTH = 100
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
_FIELD = rf"(?:[0-9*,/-]|{_NAMES})+"
_SHAPE = re.compile(rf"{_FIELD}(?: {_FIELD}){{4}}", re.ASCII)
_SECOND = timedelta(seconds=1)
_SPANS = tuple(timedelta(minutes=minutes) for minutes in (2, 120, 60 * 48, 60 * 24 * 64, 60 * 24 * 366 * 2))


def checked_cron(value: str, pointer: str = "/cron") -> str:
    """Five fields (minute, hour, day, month, weekday) that come true some day; `@daily` and so on are written out."""
    text = " ".join(checked_text(value, pointer, limit=MAX_CRON_LENGTH).lower().split())
    text = ALIASES.get(text, text)
    if not _SHAPE.fullmatch(text) or not croniter.is_valid(text):
        raise refused(pointer, "must be five fields: minute, hour, day, month, weekday", "cron")
    if following(text, "UTC", datetime(2026, 1, 1, tzinfo=UTC)) is None:
        raise refused(pointer, "never comes true", "cron_never")
    return text


@functools.cache
def zones() -> frozenset[str]:
    """Names of time zones. Looking them up reads a folder of hundreds of files."""
    return frozenset(available_timezones())


def checked_zone(value: str, pointer: str = "/time_zone") -> str:
    if value not in zones():
        raise refused(pointer, "must be the name of a time zone such as Europe/Vienna", "time_zone")
    return value


def following(cron: str, zone_name: str, after: datetime) -> datetime | None:
    """The first time it is due after that instant, in UTC; None where it never is again."""
    zone = ZoneInfo(zone_name)
    by_real_time = cron.split()[1] == "*"
    try:
        return _in_real_time(cron, zone, after) if by_real_time else _on_the_wall(cron, zone, after)
    except CroniterBadDateError:
        return None


def newest(cron: str, zone_name: str, first: datetime, now: datetime) -> datetime:
    """The last time it was due up to `now`. `first` is one of its times, and not after `now`."""
    for span in _SPANS:
        start = now - span
        if start <= first:
            break
        times = list(_between(cron, zone_name, start, now))
        if times:
            return times[-1]
    return [first, *_between(cron, zone_name, first, now)][-1]


def count_missed(cron: str, zone_name: str, first: datetime, last: datetime, *, most: int) -> int:
    """How many times from `first` on were before `last`; counted up to `most`."""
    count, at = 0, first
    while at < last and count < most:
        count += 1
        at = following(cron, zone_name, at) or last
    return count


def _between(cron: str, zone_name: str, after: datetime, until: datetime) -> Iterator[datetime]:
    at = following(cron, zone_name, after)
    while at is not None and at <= until:
        yield at
        at = following(cron, zone_name, at)


def _on_the_wall(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    times = croniter(cron, _wall(after, zone))
    while True:
        due = _instant(times.get_next(datetime), zone)
        if due > after:
            return due


def _in_real_time(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Between two changes of the clocks the wall and real time differ by a constant."""
    start, offset = _wall(after, zone), _offset(after, zone)
    while True:
        wall: datetime = croniter(cron, start).get_next(datetime)
        due = (wall - offset).replace(tzinfo=UTC)
        if _offset(due, zone) == offset:
            return due
        change = _change_between(after, due, zone)
        offset = _offset(change, zone)
        start, after = _wall(change, zone) - _SECOND, change


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """In UTC: of a time shown twice the first, of one that is skipped the moment after the gap."""
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if _wall(found, zone) == wall:
        return found
    return _change_between(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), found, zone)


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second of another offset than that of `before`, by halving."""
    old = _offset(before, zone)
    before, after = before.replace(microsecond=0), after.replace(microsecond=0)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0, microsecond=0)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
