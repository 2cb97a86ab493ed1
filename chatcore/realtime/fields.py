"""Postgres' 64-bit transaction id as a model field."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Func

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    IntegerField = models.Field[int, int]
else:
    IntegerField = models.Field


class Xid8Field(IntegerField):
    """`xid8`, an int in Python. psycopg reads and writes the type as text, so both directions convert."""

    def db_type(self, connection: "BaseDatabaseWrapper") -> str:  # noqa: ARG002
        return "xid8"

    def from_db_value(self, value: str | None, *_: Any) -> int | None:
        return None if value is None else int(value)

    def get_db_prep_value(
        self,
        value: Any,
        connection: "BaseDatabaseWrapper",  # noqa: ARG002
        prepared: bool = False,  # noqa: ARG002
    ) -> Any:
        return str(value) if isinstance(value, int) else value


class CurrentTransaction(Func):
    """The id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    output_field = Xid8Field()
