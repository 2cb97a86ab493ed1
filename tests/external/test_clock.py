"""When schedules are due: the clocks that go forward and back, months that are short, and expressions that are none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.errors import Invalid
from external.schedules.clock import checked_cron, checked_zone, count_missed, following, newest

# Vienna: forward on 29 March 2026 from 02:00 to 03:00, back on 25 October from 03:00 to 02:00.
# Lord Howe: forward by half an hour on 4 October 2026 at 02:00, back on 5 April at 02:00.
# Apia skipped 30 December 2011 altogether.
WALKS = [  # expression, zone, from (UTC), the next times (UTC)
    ("0 9 * * *", "UTC", "2026-03-01 09:00", ["03-02 09:00", "03-03 09:00"]),
    ("0 9 * * mon-fri", "UTC", "2026-03-06 10:00", ["03-09 09:00"]),
    ("0 0 31 * *", "UTC", "2026-01-31 00:00", ["03-31 00:00", "05-31 00:00"]),
    ("0 0 29 2 *", "UTC", "2026-01-01 00:00", ["2028-02-29 00:00"]),
    ("0 0 13 * fri", "UTC", "2026-03-07 00:00", ["03-13 00:00", "03-20 00:00"]),
    ("0 9 * * *", "Europe/Vienna", "2026-03-27 12:00", ["03-28 08:00", "03-29 07:00", "03-30 07:00"]),
    ("30 2 * * *", "Europe/Vienna", "2026-03-27 12:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
    ("0,30 2,3 * * *", "Europe/Vienna", "2026-03-28 12:00", ["03-29 01:00", "03-29 01:30", "03-30 00:00"]),
    ("30 2 * * *", "Europe/Vienna", "2026-10-24 12:00", ["10-25 00:30", "10-26 01:30"]),
    ("30 */2 * * *", "Europe/Vienna", "2026-10-24 23:00", ["10-25 00:30", "10-25 03:30"]),
    ("30 * * * *", "Europe/Vienna", "2026-03-28 23:45", ["03-29 00:30", "03-29 01:30", "03-29 02:30"]),
    ("30 * * * *", "Europe/Vienna", "2026-10-24 23:45", ["10-25 00:30", "10-25 01:30", "10-25 02:30"]),
    ("0 * * * *", "Europe/Vienna", "2026-03-29 00:00", ["03-29 01:00", "03-29 02:00"]),
    ("0 * * * *", "Europe/Vienna", "2026-10-25 00:00", ["10-25 01:00", "10-25 02:00"]),
    (
        "*/20 * * * *",
        "Australia/Lord_Howe",
        "2026-04-04 14:20",
        ["04-04 14:40", "04-04 15:10", "04-04 15:30"],
    ),
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00", ["10-03 15:30", "10-04 15:15"]),
    ("0 12 * * *", "Pacific/Apia", "2011-12-29 00:00", ["12-29 22:00", "12-30 10:00", "12-30 22:00"]),
    ("0 * 1 7 *", "Europe/Vienna", "2026-01-01 00:00", ["06-30 22:00", "06-30 23:00"]),
    ("0 0 1 1 *", "Asia/Kathmandu", "2026-06-01 00:00", ["12-31 18:15"]),
]


def utc(text: str, year: str = "2026") -> datetime:
    whole = text if text[:2] == "20" else f"{year}-{text}"
    return datetime.fromisoformat(whole).replace(tzinfo=UTC)


@pytest.mark.parametrize(("cron", "zone", "start", "times"), WALKS)
def test_it_is_due_by_the_clock_on_the_wall(cron: str, zone: str, start: str, times: list[str]) -> None:
    at: datetime | None = utc(start)
    found = []
    for _ in times:
        assert at
        at = following(cron, zone, at)
        found.append(at)
    assert found == [utc(text, start[:4]) for text in times]


ZONES = [
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
]
CRONS = ["*/7 * * * *", "30 2 * * *", "0 1,2,3 * * *", "15 * * * *", "45 1-3 * * sun", "0 0 29 2 *"]
EIGHT_YEARS = 60 * 24 * 365 * 8


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CRONS), st.sampled_from(ZONES), st.integers(0, EIGHT_YEARS), st.integers(1, 3000))
def test_it_never_goes_back_and_nothing_lies_between(cron: str, zone: str, minutes: int, step: int) -> None:
    """From wherever it is asked before a time that is due, that time is next."""
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    due = following(cron, zone, start)
    assert due
    assert due > start
    later = min(start + timedelta(minutes=step), due - timedelta(seconds=1))
    assert following(cron, zone, later) == due
    assert newest(cron, zone, due, due + timedelta(seconds=30)) == due


def test_the_newest_time_is_found_however_long_ago_the_first_was() -> None:
    now = utc("2026-11-22 22:00:30")
    for cron, expected in (
        ("* * * * *", "2026-11-22 22:00"),
        ("0 * * * *", "2026-11-22 22:00"),
        ("0 9 * * *", "2026-11-22 09:00"),
        ("0 0 1 * *", "2026-11-01 00:00"),
        ("0 0 29 2 *", "2024-02-29 00:00"),
    ):
        first = following(cron, "UTC", utc("2020-01-01 00:00"))
        assert first
        assert newest(cron, "UTC", first, now) == utc(expected)
        assert newest(cron, "UTC", utc(expected), now) == utc(expected)


def test_missed_times_are_counted_up_to_a_bound() -> None:
    first, last = utc("2026-11-22 09:00"), utc("2026-11-22 09:10")
    assert count_missed("* * * * *", "UTC", first, last, most=100) == 10
    assert count_missed("* * * * *", "UTC", first, last, most=3) == 3
    assert count_missed("* * * * *", "UTC", last, last, most=3) == 0


def test_expressions_are_kept_in_one_form() -> None:
    assert checked_cron(" 0  9 * *  MON ") == "0 9 * * mon"
    assert checked_cron("@Daily") == "0 0 * * *"
    assert checked_zone("Europe/Vienna") == str(ZoneInfo("Europe/Vienna"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "*/0 * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6 *",
        "h * * * *",
        "r r * * *",
        "@reboot",
        "0 0 L * *",
        "０ 0 * * *",
        "a b c d e",
        "0 9 * * *\x00",
        "0 9 * * " + "1," * 60 + "1",
    ],
)
def test_what_is_no_expression_or_never_comes_true_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_cron(text)
    assert refused.value.errors[0].pointer == "/cron"


@pytest.mark.parametrize("name", ["", "Vienna", "../../etc/passwd", "CET\x00", "Europe/Vienna "])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        checked_zone(name)
