"""Completions as OpenAI's clients read them: whole, or as chunks of a stream."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from chatcore.llm.chat_messages import chat_call
from chatcore.llm.types import ToolCall

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": still here\n\n"
FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter")


class Answer:
    """What all parts of one answer have in common. `conversation` is None where nothing is stored."""

    def __init__(self, reply_id: uuid.UUID, model: str, conversation: uuid.UUID | None) -> None:
        self._about = {
            "id": f"chatcmpl-{reply_id.hex}",
            "created": int(time.time()),
            "model": model,
            "metadata": {"conversation": str(conversation), "message": str(reply_id)} if conversation else {},
        }
        self._head = self._written({"choices": [{"index": 0, "delta": "*", "finish_reason": None}]}).split(
            b'"*"'
        )

    def whole(
        self,
        text: str,
        reasoning: str,
        calls: Sequence[Mapping[str, str]],
        reason: str,
        usage: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """A chat.completion object."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text if text or not calls else None,
            "refusal": None,
        }
        if reasoning:
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = [chat_call(ToolCall(**call)) for call in calls]
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": finish_reason(reason, calls),
            "logprobs": None,
        }
        body = {"object": "chat.completion", **self._about, "choices": [choice]}
        return body | {"usage": counts(usage)} if usage else body

    def delta(self, **delta: Any) -> bytes:
        """One chunk: `content`, `reasoning_content`, `role` or `tool_calls`."""
        return self._head[0] + json.dumps(delta, ensure_ascii=False).encode() + self._head[1]

    def calls(self, calls: Sequence[Mapping[str, str]]) -> bytes:
        return self.delta(
            tool_calls=[{"index": at} | chat_call(ToolCall(**call)) for at, call in enumerate(calls)]
        )

    def end(self, reason: str, calls: Sequence[Mapping[str, str]]) -> bytes:
        choice = {"index": 0, "delta": {}, "finish_reason": finish_reason(reason, calls)}
        return self._written({"choices": [choice]})

    def usage(self, usage: dict[str, Any] | None) -> bytes:
        return self._written({"choices": [], "usage": counts(usage) if usage else None})

    def _written(self, chunk: dict[str, Any]) -> bytes:
        return event({"object": "chat.completion.chunk", **self._about, **chunk})


def event(body: Mapping[str, Any]) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def finish_reason(reason: str, calls: Sequence[Mapping[str, str]]) -> str:
    if reason in FINISH_REASONS:
        return reason
    return "tool_calls" if calls else "stop"


def counts(usage: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's usage object. A count nobody knows is null, not zero."""
    read, written = usage.get("input_tokens"), usage.get("output_tokens")
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written if read is not None and written is not None else None,
        "prompt_tokens_details": {"cached_tokens": usage.get("cached_tokens")},
        "completion_tokens_details": {"reasoning_tokens": usage.get("reasoning_tokens")},
    }
