"""Reads a provider's refusal (HTTP status, headers, error object) as a ProviderError."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from chatcore.llm.errors import ProviderError

BY_STATUS = {
    400: "bad_request",
    401: "auth",
    402: "auth",
    403: "auth",
    404: "not_found",
    405: "not_found",
    408: "timeout",
    413: "context_too_long",
    422: "bad_request",
    429: "rate_limited",
    500: "unavailable",
    502: "unavailable",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

# A mark that stands in the error object's code, type or message decides over the status; the first one wins.
MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "context_too_long",
        (
            "context_length_exceeded",
            "string_above_max_length",
            "maximum context length",
            "context window",
            "context size",
            "prompt is too long",
            "input is too long",
            "too many tokens",
            "exceeds the maximum number of tokens",
        ),
    ),
    (
        "content_filter",
        ("content_filter", "content_policy", "content management policy", "moderation", "safety"),
    ),
    (
        "auth",
        ("insufficient_quota", "invalid_api_key", "billing", "insufficient balance", "insufficient credit"),
    ),
    ("not_found", ("model_not_found", "deploymentnotfound", "model_not_exist")),
)
STREAM_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("overloaded", ("overloaded", "no_capacity", "capacity")),
    ("rate_limited", ("rate_limit", "rate limit")),
    ("timeout", ("timeout", "timed out")),
    ("auth", ("authentication", "permission", "unauthorized")),
    ("bad_request", ("invalid_request",)),
)


def of_answer(status: int, body: bytes, headers: Mapping[str, str]) -> ProviderError:
    """The error an HTTP answer other than 200 stands for."""
    if 300 <= status < 400:
        return ProviderError("not_found", f"redirects ({status}) are not followed", upstream_status=status)
    said = body.decode("utf-8", "replace").strip()
    message, marks = _said(_parsed(said)) or (said, said)
    fallback = "unavailable" if status >= 500 else "bad_request"
    code = BY_STATUS.get(status, fallback)
    if status < 500:
        code = _marked(marks, MARKS) or code
    elif "overloaded" in marks.lower():
        code = "overloaded"
    detail = f"{status}: {message}" if message else str(status)
    return ProviderError(code, detail, retry_after=retry_after(headers), upstream_status=status)


def of_error_object(error: Any) -> ProviderError:
    """The error a provider put into a stream or an answer that began with 200."""
    message, marks = _said({"error": error}) or (str(error), str(error))
    status = _status(error)
    code = _marked(marks, MARKS) or BY_STATUS.get(status or 0) or _marked(marks, STREAM_MARKS)
    return ProviderError(code or "unavailable", message, upstream_status=status)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait (RFC 9110 §10.2.3: a number or a date); some providers send `retry-after-ms` too."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("Retry-After") or headers.get("retry-after") or ""
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < 1e7 else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _said(body: Any) -> tuple[str, str] | None:
    """(message, text to look for marks in) of the error bodies in use; None where there is no error."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return None
    error = body.get("error") or body.get("detail") or body
    if not isinstance(error, dict):
        return str(error), str(error)
    message = str(error.get("message") or error.get("detail") or error.get("error") or json.dumps(error))
    marks = " ".join(str(error.get(name, "")) for name in ("code", "type", "param", "metadata", "innererror"))
    return message, f"{marks} {message}"


def _marked(text: str, table: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    lowered = text.lower()
    return next((code for code, marks in table if any(mark in lowered for mark in marks)), "")


def _status(error: Any) -> int | None:
    if not isinstance(error, dict):
        return None
    for name in ("status", "code", "status_code"):
        value = error.get(name)
        number = int(value) if isinstance(value, int | str) and str(value).isdecimal() else 0
        if 400 <= number < 600:
            return number
    return None
