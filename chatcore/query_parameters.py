"""What lists read from their address's query: flags, ids, days, times, and whether a file is wanted."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from chatcore.pagination import refused

FORMAT = OpenApiParameter(
    "format", OpenApiTypes.STR, enum=["json", "csv"], description="csv: a file, as `Accept: text/csv` gives."
)
CSV: Any = (200, "text/csv")  # the answer's key in an operation's description


def flag(request: Request, name: str) -> bool | None:
    """True or false; None where it is not there."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise refused(name, "must be true or false")
    return text.lower() == "true"


def identity(request: Request, name: str) -> uuid.UUID | None:
    """An id; None where it is not there."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        raise refused(name, "must be an id") from None


def day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    found: date | None = _parsed(name, text, parse_date, "a day such as 2026-11-22") if text else None
    return found


def moment(request: Request, name: str) -> datetime | None:
    """A time, or the beginning of a day (UTC); for `to` its end."""
    text = request.query_params.get(name, "")
    if len(text) > 10:
        # In an address, a plus that is not written as %2B is a space.
        words = "a time with its zone (RFC 3339)"
        found: datetime = _parsed(name, text.replace(" ", "+"), parse_datetime, words)
        return found
    begins = day(request, name)
    return datetime.combine(begins, time(), UTC) + timedelta(days=name == "to") if begins else None


def wants_csv(request: Request) -> bool:
    named = request.query_params.get("format")
    if named not in (None, "json", "csv"):
        raise refused("format", "must be json or csv")
    return named == "csv" or (named is None and "text/csv" in request.headers.get("Accept", ""))


def _parsed(name: str, text: str, parse: Any, words: str) -> Any:
    try:
        found = parse(text)
    except ValueError:
        found = None
    naive = isinstance(found, datetime) and found.tzinfo is None
    if found is None or naive or not 2000 <= found.year < 9000:
        raise refused(name, f"must be {words}")
    return found
