"""The stream of Bedrock's ConverseStream: JSON events in AWS's binary event stream encoding.

A message is: total length, length of the headers, CRC of both; headers; payload; CRC of all before
(smithy.io, "Amazon Event Stream Specification").
"""

import json
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

from tests.upstreams.faults import spoken
from tests.upstreams.plans import TOO_LONG, Plan

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}
STRING = 7  # the type of a header's value


async def converse_body(plan: Plan) -> AsyncIterator[bytes]:
    yield _event("messageStart", {"role": "assistant"})
    for text in plan.reasoning:
        delta = {"reasoningContent": {"text": text}}
        yield _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta})
    index = 1 if plan.reasoning else 0
    async for text in spoken(plan):
        yield _event("contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": text}})
    for number, call in enumerate(plan.tool_calls, start=index + bool(plan.pieces)):
        start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
        yield _event("contentBlockStart", {"contentBlockIndex": number, "start": start})
        for piece in call.arguments:
            delta = {"toolUse": {"input": piece}}
            yield _event("contentBlockDelta", {"contentBlockIndex": number, "delta": delta})
        yield _event("contentBlockStop", {"contentBlockIndex": number})
    if plan.finish:
        yield _event("messageStop", {"stopReason": STOP_REASONS[plan.finish]})
    if plan.usage:
        yield _event("metadata", {"usage": _usage(plan.usage), "metrics": {"latencyMs": 1}})


def converse_error(_: Plan) -> bytes:
    return _message(
        {":message-type": "exception", ":exception-type": "serviceUnavailableException"},
        {"message": "The model is overloaded."},
    )


def converse_refusal(plan: Plan) -> dict[str, Any]:
    return {"message": TOO_LONG["bedrock"] if plan.kind == "too_long" else plan.said}


def _usage(counts: tuple[int, int, int, int]) -> dict[str, int]:
    read, written, cached, _ = counts
    return {
        "inputTokens": read - cached,
        "outputTokens": written,
        "totalTokens": read + written,
        "cacheReadInputTokens": cached,
    }


def _event(kind: str, value: dict[str, Any]) -> bytes:
    headers = {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}
    return _message(headers, value)


def _message(headers: dict[str, str], value: dict[str, Any]) -> bytes:
    head = b"".join(_header(name, text) for name, text in headers.items())
    payload = json.dumps(value).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


def _header(name: str, text: str) -> bytes:
    raw = text.encode()
    return bytes([len(name)]) + name.encode() + bytes([STRING]) + struct.pack(">H", len(raw)) + raw
