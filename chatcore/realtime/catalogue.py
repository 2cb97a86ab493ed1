"""The catalogue of what travels: every event (durable), signal (ephemeral) and word of the connection itself is a
typed body with a name.

Each app declares its part in its `events.py`; subclassing is registering.
"""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

CATALOGUE: "dict[str, type[Body]]" = {}


class Body(BaseModel):
    """The `data` of a frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1

    def __init_subclass__(cls, *, type: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if type in CATALOGUE:
            raise TypeError(f"two bodies are called {type}")
        if type:
            cls.type = type
            CATALOGUE[type] = cls


class EventBody(Body):
    """Tells of a durable change."""


class SignalBody(Body):
    """Tells of a moment; lost is lost."""


class ControlBody(Body):
    """Part of the talk between one client and its connection."""


class _Frame(BaseModel):
    """A frame around its `data`, which is checked by its own body."""

    model_config = ConfigDict(extra="forbid")

    type: str
    data: dict[str, Any]


class EventFrame(_Frame):
    """A durable change. Keep the newest `cursor`; drop an `id` you have had."""

    id: int
    version: int
    workspace: uuid.UUID
    conversation: uuid.UUID | None
    actor: str
    at: datetime
    cursor: str | None = None


class SignalFrame(_Frame):
    """A moment in a conversation."""

    conversation: uuid.UUID


class ControlFrame(_Frame):
    """A word of the connection; `ref` is that of the frame it answers."""

    ref: str | None = None


FRAMES: "list[tuple[type[Body], type[_Frame]]]" = [
    (EventBody, EventFrame),
    (SignalBody, SignalFrame),
    (ControlBody, ControlFrame),
]


def frame_shape(body: type[Body]) -> type[_Frame]:
    """The frame that carries bodies of this kind."""
    return next(shape for kind, shape in FRAMES if issubclass(body, kind))


def check(frame: Any) -> Body:
    """The body of a frame as a client was sent it. Raises pydantic's ValidationError where it is not as declared.

    An event without an id is no news but how things stand: the end of a reply for one who comes after it.
    """
    body = CATALOGUE[frame["type"]]
    is_state = issubclass(body, EventBody) and "id" not in frame
    shape = SignalFrame if is_state else frame_shape(body)
    return body.model_validate(shape.model_validate(frame).data)
