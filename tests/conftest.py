"""What every test finds and leaves: no jobs of others, no connection that outlives the run."""

from collections.abc import Generator, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.core.management.commands import flush
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from chatcore.security import limits, windows

# The same examples in every run, however slowly a busy machine makes them.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running, in which coroutine tests cannot start theirs.

    Tests of one installation run in one process, so that it is started once.
    """
    items.sort(key=lambda item: "browser" in item.path.parts)
    for item in items:
        names = getattr(item, "fixturenames", ())
        form = item.callspec.params.get("chatcore") if hasattr(item, "callspec") else None
        used = form or next((name for name in ("many", "one", "untouched") if name in names), None)
        if "live" in item.path.parts and used:
            item.add_marker(pytest.mark.xdist_group(str(used)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A test is not named by a whole document."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 80 else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """A test that writes behind its transaction, from another thread, would fail another one some day.

    After the last one the database is gone.
    """
    yield
    if nextitem is not None and item.get_closest_marker("django_db") is not None:
        left = _onlooker().execute("select email from accounts_user").fetchall()
        assert not left, f"these users were left in the database: {left}"


@cache
def _onlooker() -> psycopg.Connection[Any]:
    """Sees what every other connection has committed."""
    where = connection.settings_dict
    return psycopg.connect(host=where["HOST"], user=where["USER"], dbname=where["NAME"], autocommit=True)


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window of a rate limit ends while the test runs, however long that takes."""
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: 1_000_000.0))


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> Iterator[None]:
    """Each test has its rate limits to itself."""
    yield
    windows.forget()


LEFT = {"auth_permission", "django_content_type", "django_site"}
JOB_TABLES = (
    "procrastinate_events",
    "procrastinate_periodic_defers",
    "procrastinate_jobs",
    "procrastinate_workers",
)


@pytest.fixture(autouse=True, scope="session")
def _quick_flush() -> Iterator[None]:
    """Emptying tables that hold a few rows costs a tenth of truncating them, which makes new files for each; and what
    Django makes after a flush, the kinds of content and permissions, is left where it is.
    """
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(DatabaseOperations, "sql_flush", _sql_flush)
        patching.setattr(flush, "emit_post_migrate_signal", lambda *_: None)
        yield


def _sql_flush(
    self: DatabaseOperations,
    style: object,
    tables: list[str],
    **_: bool,
) -> list[str]:
    return [_emptying(*{*tables} - LEFT)]


def _emptying(*tables: str) -> str:
    deletions = "; ".join(f'delete from "{table}"' for table in tables)
    return f"set session_replication_role = replica; {deletions}; set session_replication_role = origin"


@pytest.fixture(autouse=True)
def _no_jobs_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Django's flush after a test with real transactions leaves Procrastinate's tables alone: not its own."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as sql:
        sql.execute(_emptying(*JOB_TABLES))


@pytest.fixture(autouse=True, scope="session")
def _no_connections_left(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Threads that waited for a coroutine keep theirs until they end, which is after the database is dropped."""
    yield
    _onlooker().close()
    with django_db_blocker.unblock(), connection.cursor() as sql:
        sql.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
