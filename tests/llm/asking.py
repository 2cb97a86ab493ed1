"""Asks providers in tests: a request, its events, and what they say."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from chatcore.llm.native import NativeProvider
from chatcore.llm.streaming import Timeouts, guarded
from chatcore.llm.types import ModelEvent, ModelRequest, ReasoningDelta, TextDelta, ToolCallDelta, Turn

KEY = "sk-a-secret-key"
Open = Callable[..., NativeProvider]
PATIENT = Timeouts(first=30, between=30, total=60)


def request(model: str = "any", *, said: str = "Hello?", **fields: Any) -> ModelRequest:
    return ModelRequest(model, (Turn("system", "Be kind."), Turn("user", said)), **fields)


async def events_of(stream: AsyncIterator[ModelEvent], timeouts: Timeouts = PATIENT) -> list[ModelEvent]:
    """All events, through the guard; its ProviderError otherwise."""
    return [event async for event in guarded(stream, timeouts)]


def text_of(events: Iterable[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def reasoning_of(events: Iterable[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


def tool_calls_of(events: Iterable[ModelEvent]) -> dict[int, tuple[str, str, str]]:
    """By index: id, name and all of the arguments."""
    calls: dict[int, tuple[str, str, str]] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            number, name, arguments = calls.get(event.index, ("", "", ""))
            calls[event.index] = (number + event.id, name + event.name, arguments + event.arguments)
    return calls
