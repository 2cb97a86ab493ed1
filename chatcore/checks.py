"""System checks: settings that contradict each other, and a database that would not behave."""

import os
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connections

from chatcore.security.destinations import openings

OLDEST_POSTGRES = 15


def several_processes_without_redis() -> list[CheckMessage]:
    """For the commands that are one process of several."""
    if settings.REDIS_URL:
        return []
    return [
        Error(
            "web and worker as processes of their own need Redis to reach each other.",
            hint="Set REDIS_URL, or run everything in one process with manage.py up.",
            id="chatcore.E001",
        )
    ]


@register(deploy=True)
def web_concurrency(**_: Any) -> list[CheckMessage]:
    """A platform that sets WEB_CONCURRENCY above one lets `serve` start several processes."""
    wanted = os.environ.get("WEB_CONCURRENCY", "1")
    return several_processes_without_redis() if wanted.isdigit() and int(wanted) > 1 else []


@register()
def secret_of_external_database(**_: Any) -> list[CheckMessage]:
    if settings.EMBEDDED_POSTGRES or os.environ.get("SECRET_KEY"):
        return []
    return [
        Warning(
            "DATABASE_URL names a database that others may share, but SECRET_KEY is only in this data folder.",
            hint="Set SECRET_KEY, KEY_PEPPER, CREDENTIAL_KEY and JWT_PRIVATE_KEY to the same values everywhere.",
            id="chatcore.W001",
        )
    ]


@register(Tags.security)
def outbound_allow(**_: Any) -> list[CheckMessage]:
    try:
        openings()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See docs/outbound.md.", id="chatcore.E005")]
    return []


@register(Tags.database)
def postgres(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Only asked by `migrate` and `check --database`, as it needs a connection."""
    return [problem for alias in databases or () for problem in _postgres(alias)]


def _postgres(alias: str) -> list[CheckMessage]:
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            cursor.execute("select lower('Ä') = 'ä'")
            folds = cursor.fetchone() == (True,)
            cursor.execute("select current_setting('server_version_num')::int / 10000")
            (version,) = cursor.fetchone()
    except DatabaseError as error:
        return [Error(f"the database cannot be asked: {error}", id="chatcore.E002")]
    problems: list[CheckMessage] = []
    if version < OLDEST_POSTGRES:
        problems.append(
            Error(
                f"this is Postgres {version}.",
                hint=f"Chatcore needs {OLDEST_POSTGRES} or newer.",
                id="chatcore.E003",
            )
        )
    if not folds:
        problems.append(
            Error(
                "this database does not know letters beyond ASCII, so search would not find them.",
                hint="Create it with a UTF-8 locale, for example "
                "createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8 chatcore",
                id="chatcore.E004",
            )
        )
    return problems
