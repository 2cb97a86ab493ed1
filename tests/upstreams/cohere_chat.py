"""The stream of Cohere's chat, version 2: typed events whose deltas are pieces of one message."""

import json
from collections.abc import AsyncIterator
from typing import Any

from tests.upstreams.faults import spoken
from tests.upstreams.plans import TOO_LONG, Plan

FINISH_REASONS = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "ERROR_TOXIC",
}


async def cohere_body(plan: Plan) -> AsyncIterator[bytes]:
    yield _event("message-start", {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []})
    if plan.reasoning:
        yield _event("content-start", {"content": {"type": "thinking", "thinking": ""}}, index=0)
        for text in plan.reasoning:
            yield _event("content-delta", {"content": {"thinking": text}}, index=0)
        yield _event("content-end", index=0)
    index = 1 if plan.reasoning else 0
    if plan.pieces:
        yield _event("content-start", {"content": {"type": "text", "text": ""}}, index=index)
    async for text in spoken(plan):
        yield _event("content-delta", {"content": {"text": text}}, index=index)
    if plan.pieces:
        yield _event("content-end", index=index)
    for number, call in enumerate(plan.tool_calls):
        begun = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield _event("tool-call-start", {"tool_calls": begun}, index=number)
        for piece in call.arguments:
            yield _event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index=number)
        yield _event("tool-call-end", index=number)
    if plan.finish:
        delta: dict[str, Any] = {"finish_reason": FINISH_REASONS[plan.finish]}
        yield _typed("message-end", delta=delta | (_usage(plan.usage) if plan.usage else {}))
    if plan.done:
        yield b"data: [DONE]\n\n"


def cohere_error(_: Plan) -> bytes:
    delta = {"finish_reason": "ERROR", "error": "the server had an error"}
    return _typed("message-end", delta=delta)


def cohere_refusal(plan: Plan) -> dict[str, Any]:
    return {"id": "r1", "message": TOO_LONG["cohere"] if plan.kind == "too_long" else plan.said}


def _usage(counts: tuple[int, int, int, int]) -> dict[str, Any]:
    read, written, cached, _ = counts
    tokens = {"input_tokens": read, "output_tokens": written}
    return {"usage": {"billed_units": tokens, "tokens": tokens, "cached_tokens": cached}}


def _event(kind: str, message: dict[str, Any] | None = None, **fields: Any) -> bytes:
    return _typed(kind, **fields, **({"delta": {"message": message}} if message else {}))


def _typed(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
