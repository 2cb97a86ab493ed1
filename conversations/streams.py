"""The text of a running reply as it grows in its worker: published in deltas, saved by halves of a second."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from chatcore.llm import pace
from chatcore.llm.types import Finished, ModelEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from chatcore.realtime.frames import signal
from chatcore.realtime.hub import hub
from conversations.claims import Claim, Progress
from conversations.events import Part, ReplyDelta, ReplyWaiting

WAITING_SECONDS = 2.0
_NOT_STORABLE = {0: None} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")

Publish: TypeAlias = Callable[[list[str], dict[str, Any]], None]


class GrowingText:
    """One part of a reply. `sent` counts the characters already published.

    What is new is kept by itself: putting the whole together for each delta would cost more the longer it is.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._unsent: list[str] = []
        self.length = 0
        self.sent = 0

    def append(self, piece: str) -> None:
        self._pieces.append(piece)
        self._unsent.append(piece)
        self.length += len(piece)

    @property
    def whole(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def send(self) -> tuple[int, str]:
        """What has not been published, and behind how many characters it stands; from now on it has been."""
        offset, text = self.sent, "".join(self._unsent)
        self._unsent.clear()
        self.sent = self.length
        return offset, text


class GrowingCalls:
    """The tool calls of a reply, as their fragments come."""

    def __init__(self) -> None:
        self._calls: dict[int, ToolCallDelta] = {}

    def take(self, piece: ToolCallDelta) -> None:
        known = self._calls.get(piece.index, ToolCallDelta(piece.index))
        self._calls[piece.index] = ToolCallDelta(
            piece.index,
            known.id or piece.id,
            known.name or piece.name,
            known.arguments + piece.arguments,
        )

    @property
    def whole(self) -> list[dict[str, str]]:
        """`{id, name, arguments}` of each, as a message keeps them."""
        return [
            {
                part: text.translate(_NOT_STORABLE)
                for part, text in (("id", call.id), ("name", call.name), ("arguments", call.arguments))
            }
            for _, call in sorted(self._calls.items())
        ]


class PlaceInLine:
    """Where a reply stands that waits for its model; told when it changes, and again for those who join meanwhile."""

    def __init__(self, claim: Claim, publish: Publish) -> None:
        self.claim = claim
        self.position = 0
        self._publish = publish
        self._told_at = float("-inf")

    def move(self, position: int) -> None:
        """1 is next; 0 is no longer in line."""
        now = time.monotonic()
        if position == self.position and (not position or now - self._told_at < WAITING_SECONDS):
            return
        self.position, self._told_at = position, now
        body = ReplyWaiting(message=self.claim.id, attempt=self.claim.attempt, position=position)
        conversation = str(self.claim.conversation_id)
        self._publish([f"conversation.{conversation}"], signal(body, conversation))


class ReplyStream:
    """What the model has said so far under one claim, of about how many tokens it read, in how many seconds.

    The first delta goes out at once, later ones at the ticks of a clock that all replies share: what leaves together
    costs one round trip to Redis. U+0000 and lone surrogates, which Postgres cannot hold, are left out or
    replaced.
    """

    def __init__(self, claim: Claim, publish: Publish = hub.publish) -> None:
        self.line = PlaceInLine(claim, publish)
        self.is_restarting = False
        self.tokens_read: int | None = None
        self.seconds: float | None = None
        self._publish = publish
        self._timer: asyncio.TimerHandle | None = None
        self.begin(claim)

    def begin(self, claim: Claim) -> None:
        """Nothing has been said yet under this claim but what it continues; what was said under another is void."""
        self._cancel_timer()
        self.claim = self.line.claim = claim
        self.parts: dict[Part, GrowingText] = {"text": GrowingText(), "reasoning": GrowingText()}
        self.calls = GrowingCalls()
        self.usage: Usage | None = None
        self.finish_reason = ""
        self.dropped: tuple[str, ...] = ()
        self.saved_length = 0
        self.saved_at = 0.0
        self._grow("text", claim.begun)

    @property
    def text(self) -> str:
        return self.parts["text"].whole

    @property
    def written(self) -> str:
        """The text without what it continues."""
        return self.text[len(self.claim.begun) :]

    @property
    def reasoning(self) -> str:
        return self.parts["reasoning"].whole

    @property
    def is_silent(self) -> bool:
        """Its model has been asked, or is about to be, and has said nothing yet."""
        return not self.length and not self.line.position

    @property
    def length(self) -> int:
        return self.parts["text"].length + self.parts["reasoning"].length

    def take(self, event: ModelEvent) -> None:
        match event:
            case TextDelta(text):
                self._grow("text", text)
            case ReasoningDelta(text):
                self._grow("reasoning", text)
            case ToolCallDelta():
                self.calls.take(event)
            case Usage():
                self.usage = event
            case Finished(reason, dropped):
                self.finish_reason, self.dropped = reason, dropped

    def progress(self) -> Progress:
        return Progress(self.claim.id, self.claim.attempt, self.text, self.reasoning)

    def flush(self) -> None:
        """Publish what has not been, now."""
        self._cancel_timer()
        for name, part in self.parts.items():
            if part.sent == part.length:
                continue
            offset, text = part.send()
            body = ReplyDelta(
                message=self.claim.id, attempt=self.claim.attempt, part=name, offset=offset, text=text
            )
            conversation = str(self.claim.conversation_id)
            self._publish([f"conversation.{conversation}"], signal(body, conversation))

    def close(self) -> None:
        """Publish the rest: nothing more will be said."""
        self.flush()
        pace.leave(self)

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _grow(self, name: Part, text: str) -> None:
        text = text.translate(_NOT_STORABLE)
        if not text:
            return
        self.parts[name].append(text)
        if self._timer is None:
            pace.join(self)
            self.flush()
            self._timer = self._at_next_tick()

    def _tick(self) -> None:
        self._timer = None
        if any(part.sent < part.length for part in self.parts.values()):
            self.flush()
            self._timer = self._at_next_tick()

    def _at_next_tick(self) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_at(pace.next_tick(loop.time()), self._tick)
