"""What is asked of a model and what comes back: the shapes every provider speaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from chatcore.llm.errors import ProviderError

__all__ = [
    "FinishReason",
    "Finished",
    "Image",
    "ModelEvent",
    "ModelRequest",
    "ProviderError",
    "Purpose",
    "ReasoningDelta",
    "Role",
    "TextDelta",
    "ToolCall",
    "ToolCallDelta",
    "Turn",
    "Usage",
]

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Purpose: TypeAlias = Literal["reply", "title", "summary"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants to be called; `arguments` is the JSON text it wrote, which need not be valid."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by its name. `url` is a data URL of a PNG, JPEG, GIF or WebP; empty: it is not to be shown again."""

    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """`images` go with the text; a model that takes none reads their names instead, see contents.py. `calls` are an
    assistant's wishes; a `tool` turn is the result of the call whose id is `answers`.
    """

    role: Role
    text: str
    images: tuple[Image, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """`model` is the name the provider knows; `params` are those of `parameters.KNOWN`, others are dropped.

    `user` is an opaque name of the asking person, for the provider's abuse detection; empty sends none. `left_out`
    names what the model is not given: `images`, `documents`, the `answer_length` beyond what it can write.
    """

    model: str
    turns: tuple[Turn, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    purpose: Purpose = "reply"
    user: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment: `id` and `name` come with the first of an `index`; `arguments` is a piece of JSON text."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. None is unknown, which is not zero; `estimated` counts are not the provider's.

    Those read from a cache (`cached_tokens`) and written into one are part of the input.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """Always the last event, once; without it the answer was cut off.

    `dropped` names what the request had and the model was not sent: parameters its provider does not know or whose
    value it refuses, images.
    """

    reason: FinishReason = "stop"
    dropped: tuple[str, ...] = ()


ModelEvent: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta | Usage | Finished
