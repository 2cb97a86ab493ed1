"""Refusals in the shape that OpenAI's clients read: `{"error": {message, type, param, code}}`."""

from collections.abc import Mapping
from typing import Any

from chatcore.errors import ChatcoreError

# Of our codes, the status and the code that clients of OpenAI look for.
AS_OPENAI: Mapping[str, tuple[int, str]] = {
    "unauthenticated": (401, "invalid_api_key"),
    "unknown_model": (404, "model_not_found"),
    "budget_exceeded": (429, "insufficient_quota"),
    "rate_limited": (429, "rate_limit_exceeded"),
}
# Of failed replies: the provider's trouble, as whoever asked here has to see it.
OF_REPLIES: Mapping[str, tuple[int, str]] = {
    "context_too_long": (400, "context_length_exceeded"),
    "content_filter": (400, "content_filter"),
    "bad_request": (400, "bad_request"),
    "not_found": (404, "model_not_found"),
    "address_refused": (404, "model_not_found"),
    "rate_limited": (429, "rate_limit_exceeded"),
    "busy": (503, "overloaded"),
    "overloaded": (503, "overloaded"),
    "circuit_open": (503, "overloaded"),
    "timeout": (504, "timeout"),
}
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def refusal(problem: ChatcoreError) -> tuple[int, dict[str, Any]]:
    """Status and body of a request that is refused."""
    first = problem.errors[0] if problem.errors else None
    code = first.code if first and first.code in AS_OPENAI else problem.code
    status, code = AS_OPENAI.get(code, (400 if problem.status == 422 else problem.status, code))
    return status, error(status, problem.detail, code, first.pointer.strip("/") if first else None)


def failure(failed: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body for a reply that failed, from its `{code, detail, retryable}`."""
    status, code = OF_REPLIES.get(failed["code"], (502, failed["code"]))
    return status, error(status, failed["detail"], code)


def error(status: int, message: str, code: str, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object. Its `param` writes `messages.0.content`."""
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    param = param.replace("/", ".") if param else None
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
