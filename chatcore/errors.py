"""The family of errors. Each class is one problem (RFC 9457); its docstring is the message a client reads.

What the docstring says after its first line is for the page of codes, as `remedy` is: what to do, for a whole family.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one part of the request; `pointer` is a JSON pointer (RFC 6901) into the body."""

    pointer: str
    detail: str
    code: str = "invalid"


class ChatcoreError(Exception):
    """The request could not be carried out."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    retryable: ClassVar[bool] = False
    remedy: ClassVar[str] = "Compare the request with the reference at /api/docs."

    def __init__(
        self, detail: str = "", *, errors: Iterable[FieldProblem] = (), retry_after: int | None = None
    ) -> None:
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.retry_after = retry_after
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        return (type(self).__doc__ or "").strip().splitlines()[0]

    def problem(self, instance: str = "") -> dict[str, Any]:
        """The body of an application/problem+json answer (RFC 9457). `instance` is the request's id; of what is no
        request of its own it is left out.
        """
        body: dict[str, Any] = {
            "type": f"/api/docs/errors#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **({"instance": instance} if instance else {}),
            "code": self.code,
            "retryable": self.retryable,
        }
        if self.errors:
            body["errors"] = [vars(error) for error in self.errors]
        return body


class Invalid(ChatcoreError):
    """Some of the values sent cannot be accepted."""

    status, code = 422, "invalid"
    remedy = "Correct what `errors` points to and send it again. Nothing was stored."


class Malformed(ChatcoreError):
    """The request could not be read."""

    status, code = 400, "malformed"
    remedy = "Send one JSON document in UTF-8, and the headers the reference names."


class Unauthenticated(ChatcoreError):
    """Sign in, or send a valid key or token in the Authorization header."""

    status, code = 401, "unauthenticated"
    remedy = (
        "Check that the key is whole, has not expired or been revoked, and that its integration is in "
        "force. Every reason looks the same from outside; the page of the integration says which it "
        "is."
    )


class Forbidden(ChatcoreError):
    """You may not do this."""

    status, code = 403, "forbidden"
    remedy = (
        "Ask an owner or admin of the workspace for what is missing. The same request is refused until then."
    )


class NotFound(ChatcoreError):
    """There is no such thing here, or it is not yours to see."""

    status, code = 404, "not_found"
    remedy = (
        "Check the address and the id, and that they belong to the workspace of the key or of X-Workspace."
    )


class MethodNotAllowed(ChatcoreError):
    """This address does not take this method."""

    status, code = 405, "method_not_allowed"
    remedy = "Use one of the methods that Allow names."


class Conflict(ChatcoreError):
    """The thing changed meanwhile. Read it again and decide anew."""

    status, code = 409, "conflict"
    remedy = (
        "Read the thing again and decide anew: the same request is refused as long as it stands like this."
    )


class Gone(ChatcoreError):
    """The cursor is too old to follow from. Read the state again and start from its cursor."""

    status, code = 410, "resync"
    remedy = "Start from the present state and its cursor."


class TooLarge(ChatcoreError):
    """The body is larger than this server takes."""

    status, code = 413, "too_large"
    remedy = "Send less at once."


class UnsupportedMedia(ChatcoreError):
    """Send the body as application/json."""

    status, code = 415, "unsupported_media_type"
    remedy = "Set Content-Type: application/json."


class TooMany(ChatcoreError):
    """Too many requests. Wait as long as Retry-After says and try again."""

    status, code, retryable = 429, "rate_limited", True
    remedy = "Wait for as many seconds as Retry-After says. RateLimit tells in every answer how much is left."


class Unavailable(ChatcoreError):
    """A part this request needs is not reachable now. Try again shortly."""

    status, code, retryable = 503, "unavailable", True
    remedy = "Send the same request again after Retry-After; what was refused was not stored."


class Unexpected(ChatcoreError):
    """Something went wrong on this server. The error was logged under the request's id."""

    status, code = 500, "internal_error"
    remedy = "Tell whoever runs this server the request's id: the log names the cause under it."


def family(root: type[ChatcoreError] = ChatcoreError) -> Iterator[type[ChatcoreError]]:
    """Every error class below `root`, itself first."""
    yield root
    for child in root.__subclasses__():
        yield from family(child)
