"""Server-sent events from bytes, as the HTML standard reads them ("Interpreting an event stream")."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from chatcore_client.errors import UnexpectedAnswer

MAX_CHARACTERS = 64 * 1024 * 1024


@dataclass(frozen=True)
class ServerSentEvent:
    """`id` is the newest one the stream has brought so far, "" before the first."""

    type: str
    data: str
    id: str


class Parser:
    """Feed it chunks as they arrive; they may end anywhere, also within a character or a line's end."""

    def __init__(self) -> None:
        self.base: float | None = None  # seconds until one comes back, as the server wishes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._at_start = True
        self._after_return = False
        self._line: list[str] = []
        self._length = 0
        self._type = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        for line in self._lines(self._decoder.decode(chunk)):
            if line:
                self._take(line)
            elif event := self._dispatch():
                yield event

    def _lines(self, text: str) -> Iterator[str]:
        """Whole lines without their ends: CRLF, LF or CR. A CR ends its line at once, an LF behind it is no other."""
        if self._at_start and text:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        if self._after_return and text:
            self._after_return = False
            text = text.removeprefix("\n")
        self._after_return = self._after_return or text.endswith("\r")
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._hold(first)
        for rest in others:
            line, self._line = "".join(self._line), []
            yield line
            self._hold(rest)

    def _hold(self, piece: str) -> None:
        if piece:
            self._line.append(piece)
            self._length += len(piece)
            if self._length > MAX_CHARACTERS:
                raise UnexpectedAnswer("The stream brings an event without an end.")

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < 10:
                self.base = int(value) / 1000

    def _dispatch(self) -> ServerSentEvent | None:
        kind, data = self._type or "message", self._data
        self._type, self._data, self._length = "", [], 0
        return ServerSentEvent(kind, "\n".join(data), self._id) if data else None
