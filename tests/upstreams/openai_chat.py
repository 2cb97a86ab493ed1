"""Bodies of OpenAI's chat completions: the stream of chunks, and the answer in one piece."""

import json
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any

from tests.upstreams.faults import spoken
from tests.upstreams.plans import TOO_LONG, Plan


async def chat_body(plan: Plan) -> AsyncIterator[bytes]:
    yield _event(plan, _chunk({"role": "assistant", "content": ""}))
    for text in plan.reasoning:
        yield _event(plan, _chunk({plan.reasoning_field: text}))
    async for text in spoken(plan):
        yield _spoken_event(plan.line_end, text)
    for delta in _tool_deltas(plan):
        yield _event(plan, _chunk(delta))
    if plan.finish:
        yield _event(plan, _chunk({}, finish=plan.finish))
    if plan.usage:
        yield _event(plan, {"id": "chatcmpl-1", "choices": [], "usage": _usage(plan.usage)})
    if plan.done:
        yield b"data: [DONE]" + plan.line_end * 2


def chat_error(plan: Plan) -> bytes:
    return _event(plan, {"error": plan.error})


def chat_refusal(plan: Plan) -> dict[str, Any]:
    if plan.kind == "too_long":
        return {"error": {"message": TOO_LONG["openai"], "type": "", "code": "context_length_exceeded"}}
    return {"error": {"message": plan.said, "type": plan.kind, "param": None, "code": None}}


def chat_whole(plan: Plan) -> dict[str, Any]:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": "".join(call.arguments)},
        }
        for call in plan.tool_calls
    ]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(plan.pieces),
        "tool_calls": calls or None,
    }
    if plan.reasoning:
        message[plan.reasoning_field] = "".join(plan.reasoning)
    choice = {"index": 0, "message": message, "finish_reason": plan.finish}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}
    return answer | ({"usage": _usage(plan.usage)} if plan.usage else {})


def _tool_deltas(plan: Plan) -> Iterator[dict[str, Any]]:
    """The calls' fragments, taken in turns as parallel calls may come."""
    for index, call in enumerate(plan.tool_calls):
        function = {"name": call.name, "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}
    for position in range(max((len(call.arguments) for call in plan.tool_calls), default=0)):
        for index, call in enumerate(plan.tool_calls):
            for piece in call.arguments[position : position + 1]:
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "fake-model",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


def _usage(counts: tuple[int, int, int, int]) -> dict[str, Any]:
    read, written, cached, reasoning = counts
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@lru_cache(4096)
def _spoken_event(line_end: bytes, text: Any) -> bytes:
    """Benchmarks ask for the same words tens of thousands of times: their cost would count as Chatcore's."""
    return _framed(line_end, _chunk({"content": text}))


def _event(plan: Plan, value: dict[str, Any]) -> bytes:
    return _framed(plan.line_end, value)


def _framed(line_end: bytes, value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + line_end * 2
