"""The stream of Anthropic's messages: typed events around indexed content blocks."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.upstreams.faults import spoken
from tests.upstreams.plans import TOO_LONG, Plan

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


async def messages_body(plan: Plan) -> AsyncIterator[bytes]:
    yield _event("message_start", message=_message(plan))
    yield _event("ping")
    for event in _blocks_before(plan):
        yield event
    text_at = 1 if plan.reasoning else 0
    if plan.pieces:
        yield _event("content_block_start", index=text_at, content_block={"type": "text", "text": ""})
    async for text in spoken(plan):
        yield _event("content_block_delta", index=text_at, delta={"type": "text_delta", "text": text})
    if plan.pieces:
        yield _event("content_block_stop", index=text_at)
    for event in _tool_blocks(plan, text_at + bool(plan.pieces)):
        yield event
    if plan.finish:
        delta = {"stop_reason": STOP_REASONS[plan.finish], "stop_sequence": None}
        usage = {"usage": {"output_tokens": plan.usage[1]}} if plan.usage else {}
        yield _event("message_delta", delta=delta, **usage)
    if plan.done:
        yield _event("message_stop")


def messages_error(_: Plan) -> bytes:
    return _event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def messages_refusal(plan: Plan) -> dict[str, Any]:
    if plan.kind == "too_long":
        error = {"type": "invalid_request_error", "message": TOO_LONG["anthropic"]}
    else:
        error = {"type": plan.kind, "message": plan.said}
    return {"type": "error", "error": error}


def _blocks_before(plan: Plan) -> Iterator[bytes]:
    if not plan.reasoning:
        return
    yield _event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    for text in plan.reasoning:
        yield _event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": text})
    yield _event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"})
    yield _event("content_block_stop", index=0)


def _tool_blocks(plan: Plan, first: int) -> Iterator[bytes]:
    for index, call in enumerate(plan.tool_calls, start=first):
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield _event("content_block_start", index=index, content_block=block)
        for piece in call.arguments:
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)


def _message(plan: Plan) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "fake-claude",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }
    if plan.usage:
        read, _, cached, _ = plan.usage
        message["usage"] = {
            "input_tokens": read - cached - plan.cache_writes,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": plan.cache_writes,
            "output_tokens": 1,
        }
    return message


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
