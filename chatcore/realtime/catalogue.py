"""The catalogue of what travels: every event (durable) and signal (ephemeral) is a typed body with a dotted name.

Each app declares its part in its `events.py`; subclassing is registering.
"""

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
