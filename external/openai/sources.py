"""What both kinds of completions share: where their words come from, as `ModelEvent`s, and how they have ended."""

import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol, TypeAlias

from chatcore.llm.types import ModelEvent


class Failed(Exception):
    """The completion was not made, or not to its end. `error` is `{code, detail, retryable}`."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["detail"])
        self.error = error


class Restarted:
    """What was told so far is void: the answer begins anew."""


# None: nothing was said for some seconds.
Told: TypeAlias = ModelEvent | Restarted | None


class Source(Protocol):
    """After its events have ended, the fields tell the whole; `usage` is None where nobody counted."""

    reply_id: uuid.UUID
    text: str
    reasoning: str
    finish_reason: str

    @property
    def conversation_id(self) -> uuid.UUID | None:
        """None where nothing is stored."""

    @property
    def tool_calls(self) -> list[dict[str, str]]: ...

    @property
    def usage(self) -> dict[str, Any] | None: ...

    def events(self) -> AsyncGenerator[Told, None]:
        """Raises Failed. To be closed (`contextlib.aclosing`) by whoever leaves before its end."""

    def close(self) -> None: ...
