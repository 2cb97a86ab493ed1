"""Reads the streams of Cohere's chat v2 in LiteLLM's place.

LiteLLM 1.106 fails on the `event:` lines that Cohere sends, and would miss finish reason, usage, reasoning and tool
calls: it looks for them where Cohere does not put them. Refusals lose their headers, and with them Retry-After.
Events: docs.cohere.com/v2/docs/streaming.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

FINISH_REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}


def repair(litellm: Any) -> None:
    """Make LiteLLM read Cohere's streams with CohereStream, for as long as this process lives."""
    config = litellm.CohereV2ChatConfig

    def iterator(_: Any, streaming_response: Any, sync_stream: bool, json_mode: bool | None = False) -> Any:  # noqa: ARG001
        return CohereStream(litellm, streaming_response)

    def error(_: Any, error_message: str, status_code: int, headers: Any) -> Exception:
        return failure(litellm, error_message, status_code, headers)

    config.get_model_response_iterator = iterator
    config.get_error_class = error


def failure(litellm: Any, message: str, status: int, headers: Any = None) -> Exception:
    said = litellm.llms.cohere.common_utils.CohereError(status_code=status, message=message)
    said.headers = headers
    assert isinstance(said, Exception)
    return said


class CohereStream:
    """LiteLLM's chunks out of the lines of one answer. LiteLLM sets `http_response`, to be closed with it."""

    http_response: Any = None

    def __init__(self, litellm: Any, lines: Any) -> None:
        self._litellm = litellm
        self._lines: AsyncIterator[str | bytes] = aiter(lines)

    def __aiter__(self) -> "CohereStream":
        return self

    async def __anext__(self) -> Any:
        while True:
            line = await anext(self._lines)
            text = line.decode() if isinstance(line, bytes) else line
            if text.startswith("data:") and (value := text[5:].strip()) != "[DONE]":
                return self._chunk(json.loads(value))

    async def aclose(self) -> None:
        if self.http_response is not None:
            await self.http_response.aclose()

    def _chunk(self, event: dict[str, Any]) -> Any:
        types = self._litellm.types.utils
        delta = event.get("delta") or {}
        if event.get("type") == "message-end":
            return self._ending(delta)
        message = delta.get("message") or {}
        parts = types.Delta(**_content(message), tool_calls=_tool_calls(message, event.get("index", 0)))
        return types.ModelResponseStream(choices=[types.StreamingChoices(index=0, delta=parts)])

    def _ending(self, delta: dict[str, Any]) -> Any:
        types = self._litellm.types.utils
        reason = delta.get("finish_reason", "COMPLETE")
        if reason in {"ERROR", "TIMEOUT"}:
            said = str(delta.get("error") or f"the answer ended with {reason}")
            raise failure(self._litellm, said, 504 if reason == "TIMEOUT" else 500)
        finish = FINISH_REASONS.get(reason, "stop")
        choice = types.StreamingChoices(index=0, delta=types.Delta(), finish_reason=finish)
        chunk = types.ModelResponseStream(choices=[choice])
        usage = delta.get("usage") or {}
        if tokens := usage.get("tokens"):
            read, written = int(tokens.get("input_tokens") or 0), int(tokens.get("output_tokens") or 0)
            details = {"cached_tokens": usage["cached_tokens"]} if "cached_tokens" in usage else None
            chunk.usage = types.Usage(
                prompt_tokens=read,
                completion_tokens=written,
                total_tokens=read + written,
                prompt_tokens_details=details,
            )
        return chunk


def _content(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, dict):
        return {}
    return {"content": content.get("text") or None, "reasoning_content": content.get("thinking") or None}


def _tool_calls(message: dict[str, Any], index: int) -> list[dict[str, Any]] | None:
    call = message.get("tool_calls")
    if not isinstance(call, dict):
        return None
    function = {"name": None, "arguments": "", **(call.get("function") or {})}
    return [{"index": index, "id": call.get("id"), "type": "function", "function": function}]
