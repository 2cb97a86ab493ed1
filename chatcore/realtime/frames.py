"""Frames: what travels from the hub to its watchers, encoded once and handed to everybody."""

import json
from typing import Any

from chatcore.realtime.catalogue import SignalBody


class Frame:
    """One event or signal on its way to local watchers.

    `text` is the JSON object every WebSocket of this process is sent; `cursor` names the safe position the
    process had reached when it delivered the frame (events only).
    """

    __slots__ = ("_text", "body", "cursor")

    def __init__(self, body: dict[str, Any], cursor: str | None = None) -> None:
        self.body = body
        self.cursor = cursor
        self._text: str | None = None

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def event_id(self) -> int | None:
        """None for a signal."""
        return self.body.get("id")

    @property
    def text(self) -> str:
        if self._text is None:
            whole = self.body | {"cursor": self.cursor} if self.cursor else self.body
            self._text = encode(whole)
        return self._text


def encode(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def signal(body: SignalBody, conversation: str) -> dict[str, Any]:
    return {
        "type": body.type,
        "conversation": conversation,
        "data": body.model_dump(mode="json", exclude_none=True),
    }
