"""Frames: what travels from the hub to its watchers, encoded once and handed to everybody."""

from typing import Any

from pydantic_core import to_json

from chatcore.realtime.catalogue import ControlBody, SignalBody

HEARTBEAT = b": still here\n\n"  # a server-sent comment: it keeps a silent stream alive


class Frame:
    """One event or signal on its way to local watchers.

    `text` is the JSON object every WebSocket of this process is sent, `sse` the same as a server-sent event;
    `cursor` names the safe position the process had reached when it delivered the frame (events only).
    """

    __slots__ = ("_sse", "_text", "body", "cursor")

    def __init__(self, body: dict[str, Any], cursor: str | None = None) -> None:
        self.body = body
        self.cursor = cursor
        self._text: str | None = None
        self._sse: bytes | None = None

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def event_id(self) -> int | None:
        """None for a signal."""
        return self.body.get("id")

    def at(self, cursor: str) -> "Frame":
        """The same, where a client may resume from."""
        return Frame(self.body, cursor)

    @property
    def text(self) -> str:
        if self._text is None:
            names_position = self.cursor and self.event_id is not None
            whole = self.body | {"cursor": self.cursor} if names_position else self.body
            self._text = encode(whole)
        return self._text

    @property
    def sse(self) -> bytes:
        """As the HTML standard writes it; only a frame that is safe to resume from has an `id`."""
        if self._sse is None:
            position = f"id: {self.cursor}\n" if self.cursor else ""
            self._sse = f"event: {self.type}\n{position}data: {self.text}\n\n".encode()
        return self._sse


def encode(body: dict[str, Any]) -> str:
    return to_json(body).decode()


def control(body: ControlBody, ref: str | None = None) -> Frame:
    """A word of the connection to its client."""
    said = {"type": body.type, "data": body.model_dump(mode="json", by_alias=True, exclude_defaults=True)}
    return Frame(said | ({"ref": ref} if ref else {}))


def signal(body: SignalBody, conversation: str) -> dict[str, Any]:
    return {
        "type": body.type,
        "conversation": conversation,
        "data": body.model_dump(mode="json", exclude_none=True),
    }
