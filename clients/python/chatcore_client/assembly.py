"""One reply as it grows: put together from frames that may come twice, late, or from a new beginning."""

from collections.abc import Iterator, Mapping
from typing import Any

from chatcore_client.errors import TransportFailed, UnexpectedAnswer
from chatcore_client.records import Delta, Message, Restarted

Piece = Delta | Restarted
ENDINGS = ("reply.completed", "reply.failed", "reply.stopped")


class Assembly:
    """What is known of a reply. `attempt` is 0 before the first frame, `reply` is None before its end."""

    def __init__(self, reply_id: str | None = None) -> None:
        self.reply_id = reply_id
        self.attempt = 0
        self.reply: Message | None = None
        self._pieces: dict[str, list[str]] = {"text": [], "reasoning": []}
        self._lengths = {"text": 0, "reasoning": 0}

    @property
    def text(self) -> str:
        return self._joined("text")

    @property
    def reasoning(self) -> str:
        return self._joined("reasoning")

    def take(self, frame: Mapping[str, Any]) -> Iterator[Piece]:
        """What the frame brings that is new. Raises TransportFailed if something before it is missing."""
        kind, data = frame.get("type", ""), frame.get("data")
        if not (isinstance(kind, str) and kind.startswith("reply.") and isinstance(data, dict)):
            return
        try:
            self.reply_id = self.reply_id or str(data["message"])
            attempt = int(data.get("attempt", self.attempt))
            if kind == "reply.delta":
                part, offset, text = str(data.get("part", "text")), int(data["offset"]), str(data["text"])
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswer(f"The server sent a bad {kind}.") from error
        if kind in ("reply.delta", "reply.started", "reply.restarted"):
            yield from self._begin(attempt)
        if kind == "reply.delta" and attempt == self.attempt and part in self._pieces:
            yield from self._add(part, offset, text)

    def finish(self, reply: Message) -> Iterator[Piece]:
        """What is still missing of the whole reply."""
        yield from self._begin(reply.attempt)
        if not (reply.text.startswith(self.text) and reply.reasoning.startswith(self.reasoning)):
            yield self._restart(reply.attempt)
        yield from self._add("reasoning", 0, reply.reasoning)
        yield from self._add("text", 0, reply.text)
        self.reply = reply

    def _begin(self, attempt: int) -> Iterator[Piece]:
        if self.attempt == 0:
            self.attempt = attempt
        elif attempt > self.attempt:
            yield self._restart(attempt)

    def _restart(self, attempt: int) -> Restarted:
        self.attempt = attempt
        self._pieces = {"text": [], "reasoning": []}
        self._lengths = {"text": 0, "reasoning": 0}
        return Restarted(attempt, str(self.reply_id or ""))

    def _add(self, part: str, offset: int, text: str) -> Iterator[Delta]:
        known = self._lengths[part]
        if offset > known:
            raise TransportFailed("A part of the reply did not come.")
        fresh = text[known - offset :]
        if not fresh:
            return
        self._pieces[part].append(fresh)
        self._lengths[part] += len(fresh)
        text, reasoning = (fresh, "") if part == "text" else ("", fresh)
        yield Delta(text, reasoning, known, self.attempt, str(self.reply_id or ""))

    def _joined(self, part: str) -> str:
        pieces = self._pieces[part]
        if len(pieces) > 1:
            pieces[:] = ["".join(pieces)]
        return pieces[0] if pieces else ""


class Assemblies:
    """The replies that one stream brings: `expected` of them, known as they come to it."""

    def __init__(self, first: Assembly | None = None, expected: int = 1) -> None:
        self._expected = expected
        self._first = first or Assembly()
        self._ended: set[str] = set()
        self._known = {self._first.reply_id: self._first} if self._first.reply_id else {}

    @property
    def first(self) -> Assembly:
        """Of the model that was named first."""
        return self.known[0] if self._known else self._first

    @property
    def known(self) -> list[Assembly]:
        """In the order in which the models were named: ids rise."""
        return [self._known[reply_id] for reply_id in sorted(self._known)]

    @property
    def unended(self) -> list[Assembly]:
        return [one for one in self.known if one.reply_id not in self._ended]

    @property
    def are_known(self) -> bool:
        return len(self._known) >= self._expected

    @property
    def have_ended(self) -> bool:
        return self.are_known and self._ended >= self._known.keys()

    def take(self, frame: Mapping[str, Any]) -> Iterator[Piece]:
        """What the frame brings to the reply it is about."""
        one = self._about(frame)
        yield from one.take(frame)
        if one.reply_id:
            self._known.setdefault(one.reply_id, one)
            if frame.get("type") in ENDINGS:
                self._ended.add(one.reply_id)

    def _about(self, frame: Mapping[str, Any]) -> Assembly:
        data = frame.get("data")
        named = data.get("message") if isinstance(data, dict) else None
        if self._expected == 1 or not isinstance(named, str):
            return self._first
        return self._known.get(named) or Assembly(named)
