"""Queries of hot paths, put together and compiled once in a process: building one costs ten times running it.

Postgres keeps their plans for the connection: planning one costs it as much again. https://www.psycopg.org/psycopg3/docs/advanced/prepare.html
"""

import contextlib
import copy
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable

M = TypeVar("M", bound=Model)


@contextlib.contextmanager
def plans_kept(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """What is executed here is planned once for a connection, by its text; values travel beside it, not in it."""
    connection: Any = connections[using]
    connection.ensure_connection()
    raw = connection.connection
    before, raw.cursor_factory = raw.cursor_factory, ServerBindingCursor
    try:
        yield
    finally:
        raw.cursor_factory = before


class Prepared(Generic[M]):
    """`build(*arguments)` makes the query; it must have the same shape whatever the arguments, which are str or UUID.

    `prepared(*arguments)` gives its rows. What `build` reads besides its arguments is fixed with the first call.
    """

    def __init__(self, build: Callable[..., "QuerySet[M]"], *kinds: type[str] | type[uuid.UUID]) -> None:
        self._build = build
        self._samples = [_sample(kind) for kind in kinds]
        self._compiled: tuple[type[M], Any, str, tuple[Any, ...]] | None = None

    def __call__(self, *arguments: str | uuid.UUID) -> list[M]:
        model, compiler, sql, params = self._compiled or self._compile()
        bound = _Bound(compiler, sql, tuple(self._filled(param, arguments) for param in params))
        rows: Any = ModelIterable(QuerySet(model, query=bound))  # type: ignore[arg-type]
        with plans_kept():
            return list(rows)

    def first(self, *arguments: str | uuid.UUID) -> M | None:
        return next(iter(self(*arguments)), None)

    def _compile(self) -> tuple[type[M], Any, str, tuple[Any, ...]]:
        queryset = self._build(*self._samples)
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        flat = [item for param in params for item in (param if isinstance(param, list) else [param])]
        missing = [sample for sample in self._samples if sample not in flat]
        assert not missing, "an argument does not reach the query"
        self._compiled = (queryset.model, compiler, sql, tuple(params))
        return self._compiled

    def _filled(self, param: Any, arguments: tuple[Any, ...]) -> Any:
        if isinstance(param, list):
            return [self._filled(item, arguments) for item in param]
        return arguments[self._samples.index(param)] if param in self._samples else param


class _Bound:
    """Stands for the query at the place where Django asks it for SQL."""

    def __init__(self, compiler: Any, sql: str, params: tuple[Any, ...]) -> None:
        self._compiler = copy.copy(compiler)
        self._compiler.as_sql = lambda: (sql, params)

    def get_compiler(self, using: str, **_: Any) -> Any:
        self._compiler.connection = connections[using]
        return self._compiler


def _sample(kind: type[str] | type[uuid.UUID]) -> str | uuid.UUID:
    return uuid.uuid4() if kind is uuid.UUID else f"sample-{uuid.uuid4().hex}"
