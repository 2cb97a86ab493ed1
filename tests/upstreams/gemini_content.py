"""The stream of Gemini's generateContent (`alt=sse`): whole little answers, each with the next parts of the text."""

import json
from collections.abc import AsyncIterator
from typing import Any

from tests.upstreams.faults import spoken
from tests.upstreams.plans import TOO_LONG, Plan

FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
# google.rpc.Code, as its HTTP statuses are called in error objects.
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


async def content_body(plan: Plan) -> AsyncIterator[bytes]:
    for text in plan.reasoning:
        yield _chunk(plan, {"text": text, "thought": True})
    async for text in spoken(plan):
        yield _chunk(plan, {"text": text})
    for call in plan.tool_calls:
        # Gemini sends the arguments as the object they are, never in pieces.
        arguments = json.loads("".join(call.arguments))
        yield _chunk(plan, {"functionCall": {"id": call.id, "name": call.name, "args": arguments}})
    if plan.finish:
        yield _chunk(plan, {"text": ""}, finish=FINISH_REASONS[plan.finish])


def content_error(_: Plan) -> bytes:
    error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    return _event({"error": error})


def content_refusal(plan: Plan) -> dict[str, Any]:
    status = 503 if plan.status == 529 else plan.status
    message = TOO_LONG["gemini"] if plan.kind == "too_long" else plan.said
    return {"error": {"code": status, "message": message, "status": STATUSES.get(status, "UNKNOWN")}}


def _chunk(plan: Plan, part: dict[str, Any], finish: str | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    chunk: dict[str, Any] = {"candidates": [candidate], "modelVersion": "fake-gemini", "responseId": "r1"}
    if plan.usage:
        chunk["usageMetadata"] = _usage(plan.usage)
    return _event(chunk)


def _usage(counts: tuple[int, int, int, int]) -> dict[str, Any]:
    """`candidatesTokenCount` leaves the thoughts out; the cached ones are part of the prompt's."""
    read, written, cached, reasoning = counts
    return {
        "promptTokenCount": read,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": written - reasoning,
        "thoughtsTokenCount": reasoning,
        "totalTokenCount": read + written,
    }


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\r\n\r\n".encode()
