"""What can go wrong, as exceptions. Each holds the server's problem document (RFC 9457), where there is one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one part of a request; `pointer` is a JSON pointer (RFC 6901) into its body."""

    pointer: str
    detail: str
    code: str


class ChatcoreError(Exception):
    """Something the server refused, or could not be asked. `code` is for programs, the text for people."""

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        problem: Mapping[str, Any] | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.problem: Mapping[str, Any] = problem or {}
        self.request_id = str(self.problem.get("instance") or request_id)
        self.retry_after = retry_after

    @property
    def code(self) -> str:
        return str(self.problem.get("code", ""))

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.problem.get("retryable") is True

    @property
    def errors(self) -> tuple[FieldProblem, ...]:
        """What is wrong with which part of the request, as far as the server named it."""
        named = self.problem.get("errors")
        rows = [row for row in named if isinstance(row, dict)] if isinstance(named, list) else []
        return tuple(
            FieldProblem(str(row.get("pointer", "")), str(row.get("detail", "")), str(row.get("code", "")))
            for row in rows
        )


class BadRequest(ChatcoreError):
    """400: the request could not be read."""


class Unauthenticated(ChatcoreError):
    """401: no key or token, or one that does not hold."""


class Forbidden(ChatcoreError):
    """403: a grant is missing."""


class NotFound(ChatcoreError):
    """404: it is not there, or not yours."""


class Conflict(ChatcoreError):
    """409: the thing is in another state, for example a reply that still runs."""


class Resync(ChatcoreError):
    """410: events cannot be followed from this cursor. Take a new cursor, read the state again, follow from there."""


class TooLarge(ChatcoreError):
    """413: the body is larger than the server takes."""


class Invalid(ChatcoreError):
    """422: a value cannot be accepted; `errors` names each."""


class RateLimited(ChatcoreError):
    """429: too many requests; `retry_after` says when to come back, in seconds."""


class ServerFailed(ChatcoreError):
    """500 and above: a defect of the server, logged there under `request_id`."""


class Unavailable(ServerFailed):
    """502, 503, 504: the server, or a part of it, cannot be reached now."""


class TransportFailed(ChatcoreError):
    """No whole answer came: no connection, a cut one, or one that fell silent."""

    @property
    def retryable(self) -> bool:
        return True


class NotConnected(TransportFailed):
    """Not even the connection came about, so the server knows of nothing."""


class UnexpectedAnswer(ChatcoreError):
    """The answer is not what a Chatcore server says. Is the address right?"""


BY_STATUS: dict[int, type[ChatcoreError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Resync,
    413: TooLarge,
    422: Invalid,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ChatcoreError:
    """The error an answer tells of. `headers` has lower-case names."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    problem = document if isinstance(document, dict) else {}
    return from_problem(
        problem, status, headers.get("x-request-id", ""), seconds_of(headers.get("retry-after", ""))
    )


def from_problem(
    problem: Mapping[str, Any], status: int, request_id: str = "", retry_after: float | None = None
) -> ChatcoreError:
    otherwise = ServerFailed if status >= 500 else UnexpectedAnswer if status < 400 else ChatcoreError
    kind = Resync if problem.get("code") == "resync" else BY_STATUS.get(status, otherwise)
    detail = problem.get("detail") or problem.get("title") or f"The server answered with status {status}."
    return kind(str(detail), status=status, problem=problem, request_id=request_id, retry_after=retry_after)


def seconds_of(retry_after: str) -> float | None:
    """The header Retry-After (RFC 9110): seconds or a date. None if it is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
