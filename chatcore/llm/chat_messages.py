"""Turns as the messages of OpenAI's chat completions, which LiteLLM takes too."""

from typing import Any

from chatcore.llm.contents import content_of
from chatcore.llm.types import ToolCall, Turn


def chat_message(turn: Turn, *, system: str = "system") -> dict[str, Any]:
    """`system` is what the server calls that role."""
    message: dict[str, Any] = {
        "role": system if turn.role == "system" else turn.role,
        "content": content_of(turn),
    }
    if turn.calls:
        message["tool_calls"] = [chat_call(call) for call in turn.calls]
        message["content"] = message["content"] or None
    if turn.role == "tool":
        message["tool_call_id"] = turn.answers
    return message


def chat_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
