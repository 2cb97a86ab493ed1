"""Positions in the event log that cannot lose anything.

Ids are handed out before commit, so "everything after id 11" can miss id 10, which commits later. The order is
therefore `(xid, id)`, and a reader sees only rows below the horizon `pg_snapshot_xmin(pg_current_snapshot())`:
every transaction below it has ended, so nothing can appear behind the reader. A cursor given to a client is signed
and names the cluster it counts in, because a restored dump starts a new count.
"""

import functools
import time
from dataclasses import dataclass
from datetime import datetime

from django.core import signing
from django.db import connection

from chatcore.errors import Gone, Malformed

KEPT_SECONDS = 7 * 24 * 3600
_signer = signing.Signer(salt="chatcore.cursor", sep=".")


@dataclass(frozen=True, order=True, slots=True)
class Cursor:
    """Everything up to and including `(xid, id)` is known to the holder."""

    xid: int
    id: int


def now() -> Cursor:
    """The newest safe position: all that ended before this moment. Read it before the state it belongs to."""
    with connection.cursor() as sql:
        sql.execute("select pg_snapshot_xmin(pg_current_snapshot())::text")
        row = sql.fetchone()
    assert row
    return Cursor(int(row[0]), 0)


@functools.cache
def cluster() -> str:
    """This Postgres cluster's own number; it differs after a restore into another one."""
    with connection.cursor() as sql:
        sql.execute("select to_hex(system_identifier) from pg_control_system()")
        row = sql.fetchone()
    assert row
    return str(row[0])


def encode(cursor: Cursor, since: datetime | None = None) -> str:
    """`since`: when what stands there was written, if not now. The log is trimmed by that, and not by when a reader
    came past."""
    written = int(since.timestamp() if since else time.time())
    return _signer.sign(f"{cluster()}-{cursor.xid:x}-{cursor.id:x}-{written:x}")


def decode(text: str) -> Cursor:
    """Raises Malformed for a cursor this server did not sign, Gone for one it can no longer follow from."""
    try:
        of_cluster, xid, event_id, written = _signer.unsign(text).split("-")
    except (signing.BadSignature, ValueError):
        raise Malformed("The cursor is not one this server gave out.") from None
    if of_cluster != cluster() or time.time() - int(written, 16) > KEPT_SECONDS:
        raise Gone
    return Cursor(int(xid, 16), int(event_id, 16))
