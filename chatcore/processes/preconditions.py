"""What must hold before a process starts, each with one line on what to do about it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import redis
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from chatcore import checks, embedded

CONNECT_SECONDS = 5
MIGRATION_LOCK = 0x63686174_6D696772  # any number, the same in every process
LOCK_SECONDS = 600


def part_of_many() -> None:
    """Everything a web or worker process of its own needs."""
    _allowed()
    embedded_postgres()
    database()
    layer()
    migrations()


def usable_database() -> None:
    """For commands that work on the data: up, reachable and up to date, whatever that takes."""
    embedded_postgres()
    database()
    with alone_migrating():
        up_to_date()


def _allowed() -> None:
    """Refuse what the in-memory layer cannot do."""
    for problem in checks.several_processes_without_redis():
        raise CommandError(f"{problem.id}: {problem.msg} {problem.hint}")


def embedded_postgres() -> None:
    """Bring the embedded server up for this process, unless it is up already or not used at all."""
    if not settings.EMBEDDED_POSTGRES:
        return
    try:
        embedded.ensure(settings.DATA_DIR)
    except embedded.EmbeddedError as error:
        raise CommandError(str(error)) from None


def database() -> None:
    """Asked without the pool, which would hide the reason behind a timeout."""
    parameters = connection.get_connection_params() | {"connect_timeout": CONNECT_SECONDS}
    for unused in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(unused, None)
    try:
        psycopg.connect(**parameters).close()
    except psycopg.OperationalError as error:
        raise CommandError(f"cannot use the database: {_reason(error)} Check DATABASE_URL.") from None


def layer() -> None:
    """Reach the Redis of the channel layer and the cache, if there is one."""
    if not settings.REDIS_URL:
        return
    where = urlsplit(settings.REDIS_URL)
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        place = f"{where.hostname or where.path}:{where.port or 6379}"
        raise CommandError(f"cannot use Redis at {place}: {error}. Start it or correct REDIS_URL.") from None


def migrations() -> None:
    if unapplied():
        raise CommandError("the database is not up to date. Run manage.py migrate first.")


def up_to_date(tell: Callable[[str], object] = lambda _: None) -> None:
    """Migrate if anything is missing; asking is ten times faster than migrating nothing."""
    if unapplied():
        tell("Preparing the database…")
        call_command("migrate", interactive=False, verbosity=0)


def unapplied() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


@contextlib.contextmanager
def alone_migrating() -> Iterator[None]:
    """Of several processes that migrate this database, one does and the others wait for it."""
    deadline = time.monotonic() + LOCK_SECONDS
    with connection.cursor() as cursor:
        while not _taken(cursor):
            if time.monotonic() > deadline:
                raise CommandError("another process has been migrating this database for ten minutes.")
            time.sleep(0.1)
        try:
            yield
        finally:
            cursor.execute("select pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def _taken(cursor: CursorWrapper) -> bool:
    cursor.execute("select pg_try_advisory_lock(%s)", [MIGRATION_LOCK])
    return bool(cursor.fetchone()[0])


def _reason(error: psycopg.OperationalError) -> str:
    """The last line says what; the ones before name every address tried."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip().rstrip(".") + "."
