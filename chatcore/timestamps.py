"""Timestamps of Postgres, read by Python's own parser in C: Django's loader takes ten times as long for each."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from django.db.backends.signals import connection_created
from psycopg.abc import Buffer
from psycopg.pq import Format

_OID = psycopg.adapters.types["timestamptz"].oid


class UtcLoader(BaseTzLoader):  # type: ignore[misc]
    """As Postgres writes them for a connection in UTC, which Django's are; for others Django takes its own loader."""

    timezone = UTC

    def load(self, data: Buffer) -> datetime:
        try:
            return datetime.fromisoformat(str(data, "ascii"))
        except ValueError:
            found: datetime = super().load(data)
            return found


def read_fast(connection: Any, **_: Any) -> None:
    """For a connection that Django has just made or taken from its pool."""
    adapters = connection.connection.adapters
    if adapters.get_loader(_OID, Format.TEXT) is not UtcLoader:
        adapters.register_loader(_OID, UtcLoader)


def connect() -> None:
    connection_created.connect(read_fast, dispatch_uid="timestamps")
