"""Waiting in a test for what is to come about; a minute without it fails the test."""

import asyncio
import inspect
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection

from chatcore.offload import offload


async def until(condition: Callable[[], Any]) -> None:
    """`condition` may be a coroutine function."""
    async with asyncio.timeout(60):
        while True:
            met = condition()
            if inspect.isawaitable(met):
                met = await met
            if met:
                return
            await asyncio.sleep(0.01)


async def until_a_worker_listens() -> None:
    """It may take a job before that."""
    await until(partial(offload, _is_listening))


def _is_listening() -> bool:
    with connection.cursor() as sql:
        sql.execute(
            "select exists (select from pg_stat_activity "
            "where datname = current_database() and query ilike 'listen%')"
        )
        return bool(sql.fetchone()[0])


def wait_until_somebody_waits() -> None:
    """For a lock in this database."""
    deadline = time.monotonic() + 60
    while not _is_waited_for():
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)


def _is_waited_for() -> bool:
    with connection.cursor() as sql:
        sql.execute("select pg_stat_clear_snapshot()")  # else a transaction sees its first look for ever
        sql.execute(
            "select exists (select from pg_stat_activity "
            "where wait_event_type = 'Lock' and datname = current_database())"
        )
        return bool(sql.fetchone()[0])
