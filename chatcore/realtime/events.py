"""The realtime floor's part of the catalogue: what a connection itself says, and who is there."""

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict

from chatcore.realtime.catalogue import ControlBody, SignalBody


class Hello(ControlBody, type="hello"):
    """You are connected and have been sent all you missed. `cursor` is where you stand."""

    cursor: str


class Pong(ControlBody, type="pong"):
    """The answer to `ping`."""


class Subscribed(ControlBody, type="subscribed"):
    """The conversation's signals come from here on, behind what its running replies have said so far."""

    conversation: uuid.UUID


class Unsubscribed(ControlBody, type="unsubscribed"):
    """The conversation's signals have ended, as you wished or because you may no longer read it."""

    conversation: uuid.UUID


class Result(ControlBody, type="result"):
    """What your frame led to; its fields depend on the frame. What it tells of is committed."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Reconnect(ControlBody, type="reconnect"):
    """The server stops. Come back after so many seconds, with your cursor."""

    after: float


class ProblemBody(ControlBody):
    """A problem document (RFC 9457)."""

    type_: str = ""
    title: str
    status: int
    detail: str
    instance: str = ""
    code: str
    retryable: bool
    errors: list[dict[str, Any]] = []
    resets_at: datetime | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=lambda name: name.rstrip("_"))


class Refused(ProblemBody, type="error"):
    """Your frame was refused; nothing was changed. Three within ten seconds end the connection."""


class Resync(ProblemBody, type="resync"):
    """Your cursor cannot be followed from: read the state again. `hello` follows with a new one."""


class Presence(SignalBody, type="presence"):
    """Whether somebody of the conversation is there. Announced at most once in five seconds for each author."""

    author: str
    name: str
    state: Literal["online", "away", "offline"]
