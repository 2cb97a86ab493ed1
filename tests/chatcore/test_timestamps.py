"""Timestamps come back from Postgres as they went in, in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from django.db import DataError, connection
from django.db.backends.postgresql.base import TIMESTAMPTZ_OID
from psycopg.pq import Format

from chatcore.timestamps import UtcLoader

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 24, 1, 53, 15, 730408, tzinfo=UTC),
        datetime(2026, 11, 24, 1, 53, 15, 730000, tzinfo=UTC),
        datetime(2026, 11, 24, tzinfo=UTC),
        datetime(2026, 11, 24, 1, 53, 15, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_moment_comes_back_as_it_went_in(moment: datetime) -> None:
    (found,) = _read("select %s::timestamptz", moment)
    assert (found, found.tzinfo) == (moment, UTC)


@pytest.mark.parametrize("moment", ["infinity", "10000-01-01", "0044-03-15 BC"])
def test_what_no_datetime_holds_is_told(moment: str) -> None:
    with pytest.raises(DataError):
        _read("select %s::timestamptz", moment)


def test_connections_read_them_fast_and_keep_their_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as sql:
        assert sql.connection.adapters.get_loader(TIMESTAMPTZ_OID, Format.TEXT) is UtcLoader
    monkeypatch.setitem(vars(connection), "timezone", ZoneInfo("Asia/Tokyo"))
    with connection.cursor() as sql:
        sql.execute("set local time zone 'Asia/Tokyo'")
        sql.execute("select timestamptz '2026-11-24 00:00+00'")
        (found,) = sql.fetchone()
    assert found.isoformat() == "2026-11-24T09:00:00+09:00"


def _read(statement: str, *values: object) -> tuple[datetime, ...]:
    with connection.cursor() as sql:
        sql.execute(statement, values)
        found: tuple[datetime, ...] = sql.fetchone()
    return found
