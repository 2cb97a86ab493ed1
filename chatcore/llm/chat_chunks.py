"""OpenAI's chat completion answers, streamed or whole, as events.

Fields read: `choices[0].delta` (or `.message`) with `content`, `refusal`, `reasoning_content`, `reasoning` or
`reasoning_details`, `tool_calls`; `finish_reason`; `usage`; `error`. Everything else servers send is passed over.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic_core import from_json

from chatcore.llm import failures
from chatcore.llm.errors import ProviderError
from chatcore.llm.think_tags import ThinkTags
from chatcore.llm.tool_fragments import ToolFragments, text_in
from chatcore.llm.types import Finished, FinishReason, ModelEvent, ReasoningDelta, TextDelta, Usage

FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
}
MAX_SPREAD = 64 * 1024
NOTHING: tuple[ModelEvent, ...] = ()


class AnswerReader:
    """Reads the payloads of one answer in order; afterwards says how it ended. `dropped` is for Finished."""

    __slots__ = (
        "_broken",
        "_finish",
        "_tags",
        "_tools",
        "_usage",
        "done",
        "dropped",
        "has_spoken",
        "read_any",
    )

    def __init__(self) -> None:
        self.done = False
        self.has_spoken = False
        self.read_any = False
        self.dropped: tuple[str, ...] = ()
        self._tags: ThinkTags | None = ThinkTags()
        self._tools = ToolFragments()
        self._broken = b""
        self._finish = ""
        self._usage: Usage | None = None

    @property
    def finished(self) -> bool:
        """The model is done; only usage may still follow."""
        return self.done or bool(self._finish)

    def read_all(self, payloads: Iterable[bytes]) -> Iterator[ModelEvent]:
        for payload in payloads:
            if events := self.read(payload):
                self.has_spoken = True
                yield from events

    def read(self, payload: bytes) -> Sequence[ModelEvent]:
        """The events in one `data` value (b"" for the blank line after an event)."""
        if not payload:
            if self._broken:
                raise ProviderError("garbage", f"not JSON: {self._broken[:200]!r}")
            return NOTHING
        if payload == b"[DONE]":
            self.done = True
            return NOTHING
        try:
            chunk = _parsed(self._broken + payload if self._broken else payload)
        except (ValueError, RecursionError):
            # One event may spread its value over several `data` lines; it ends at the blank line.
            self._broken += payload + b"\n"
            if len(self._broken) > MAX_SPREAD:
                raise ProviderError("garbage", f"not JSON: {self._broken[:200]!r}") from None
            return NOTHING
        self._broken = b""
        self.read_any = True
        try:
            return self._events(chunk, "delta")
        except (AttributeError, TypeError, LookupError, ValueError) as error:
            raise ProviderError("garbage", f"unexpected shape ({error}): {payload[:200]!r}") from None

    def read_whole(self, body: bytes) -> Sequence[ModelEvent]:
        """The events of an answer that came in one piece although a stream was asked for."""
        self.done = self.read_any = True
        try:
            return self._events(json.loads(body), "message")
        except (AttributeError, TypeError, LookupError, ValueError, RecursionError) as error:
            raise ProviderError("garbage", f"unexpected answer ({error}): {body[:200]!r}") from None

    def ending(self) -> Iterator[ModelEvent]:
        """The last events; raises where the answer stopped before its end."""
        if self._broken:
            raise ProviderError("cut_off", "the connection closed in the middle of a chunk")
        if not self.finished:
            raise ProviderError("cut_off", "the connection closed before the answer was finished")
        if self._tags:
            yield from self._tags.rest()
        if self._usage:
            yield self._usage
        yield Finished(FINISH_REASONS.get(self._finish, "stop"), self.dropped)

    def _events(self, chunk: Any, where: str) -> Sequence[ModelEvent]:
        if chunk.get("error"):
            raise failures.of_error_object(chunk["error"])
        if chunk.get("usage") or chunk.get("x_groq"):
            self._usage = read_usage(chunk) or self._usage
        choices = chunk.get("choices")
        if not choices:
            return NOTHING if "choices" in chunk or "usage" in chunk else self._without_choices(chunk)
        choice = choices[0]
        reason = choice.get("finish_reason")
        if reason:
            self._end(reason, choice)
        part = choice.get(where)
        if not part:
            return NOTHING
        events = self._message_events(part)
        return events if self._tags is None else list(self._without_tags(events, self._tags))

    def _end(self, reason: str, choice: dict[str, Any]) -> None:
        if reason == "error":
            raise failures.of_error_object(choice.get("error") or "the answer ended with an error")
        self._finish = str(reason)

    def _without_choices(self, chunk: dict[str, Any]) -> Sequence[ModelEvent]:
        if chunk.get("object") == "error" or "message" in chunk or "detail" in chunk:
            raise failures.of_error_object(chunk)
        if self.done:
            raise ValueError("no choices")
        return NOTHING

    def _message_events(self, part: dict[str, Any]) -> Sequence[ModelEvent]:
        """The events in a delta or a message. Most deltas are one piece of text: that is looked for first."""
        text = part.get("content")
        if type(text) is str and text and (len(part) == 1 or (len(part) == 2 and "role" in part)):
            return (TextDelta(text),)
        return list(self._all_events(part))

    def _all_events(self, part: dict[str, Any]) -> Iterator[ModelEvent]:
        reasoning = part.get("reasoning_content") or part.get("reasoning")
        if reasoning:
            yield ReasoningDelta(text_in(reasoning))
        else:
            yield from _detailed_reasoning(part.get("reasoning_details") or ())
        content = part.get("content")
        if isinstance(content, list):
            for item in content:
                yield from _item_events(item)
        elif content:
            yield TextDelta(text_in(content))
        refusal = part.get("refusal")
        if refusal:
            yield TextDelta(text_in(refusal))
        for position, call in enumerate(part.get("tool_calls") or ()):
            yield self._tools.read(call, position)

    def _without_tags(self, events: Sequence[ModelEvent], tags: ThinkTags) -> Iterator[ModelEvent]:
        for event in events:
            if isinstance(event, TextDelta) and not tags.settled:
                yield from tags.read(event.text)
            else:
                yield event
        if tags.settled:
            self._tags = None


def _parsed(payload: bytes) -> Any:
    """JSON. The standard library is asked about what the fast reader refuses: half a pair of surrogates, for one, where
    a server cuts its text in the middle of a character.
    """
    try:
        return from_json(payload)
    except ValueError:
        return json.loads(payload)


def joined(events: Iterable[ModelEvent]) -> Iterator[ModelEvent]:
    """Pieces of one text that came together as one. What came before a failure is told before it."""
    pieces: list[TextDelta | ReasoningDelta] = []
    failure = None
    try:
        for event in events:
            if pieces and type(event) is not type(pieces[0]):
                yield _whole(pieces)
                pieces = []
            if isinstance(event, TextDelta | ReasoningDelta):
                pieces.append(event)
            else:
                yield event
    except ProviderError as error:
        failure = error
    if pieces:
        yield _whole(pieces)
    if failure:
        raise failure


def _whole(pieces: Sequence[TextDelta | ReasoningDelta]) -> TextDelta | ReasoningDelta:
    return pieces[0] if len(pieces) == 1 else type(pieces[0])("".join(piece.text for piece in pieces))


def _detailed_reasoning(details: Iterable[dict[str, Any]]) -> Iterator[ModelEvent]:
    """Reasoning as a list of typed parts: text and summaries are told, encrypted parts are not."""
    for detail in details:
        if said := detail.get("text") or detail.get("summary"):
            yield ReasoningDelta(text_in(said))


def _item_events(item: dict[str, Any]) -> Iterator[ModelEvent]:
    """Content as a list of typed parts: text, and thinking that is itself such a list."""
    if item.get("type") == "thinking":
        thinking = item["thinking"]
        pieces = [thinking] if isinstance(thinking, str) else [piece["text"] for piece in thinking]
        yield from (ReasoningDelta(text_in(piece)) for piece in pieces if piece)
    elif item.get("text"):
        yield TextDelta(text_in(item["text"]))


def read_usage(chunk: dict[str, Any]) -> Usage | None:
    """The counts of a `usage` object; None when it counts nothing."""
    usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    # DeepSeek's name of it, and Moonshot's place for it.
    others = usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens")
    cached = next((n for n in map(_count, (prompt.get("cached_tokens"), *others)) if n is not None), None)
    reasoning = _count(completion.get("reasoning_tokens"))
    counts = Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_written(usage, reasoning),
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        cache_write_tokens=_count(prompt.get("cache_write_tokens")),
    )
    return None if counts.input_tokens is None and counts.output_tokens is None else counts


def _written(usage: dict[str, Any], reasoning: int | None) -> int | None:
    """With the reasoning. xAI counts it beside the completion, as its total shows; others within it."""
    written, read = _count(usage.get("completion_tokens")), _count(usage.get("prompt_tokens"))
    if written is None or read is None or not reasoning:
        return written
    return written + reasoning if usage.get("total_tokens") == read + written + reasoning else written


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
