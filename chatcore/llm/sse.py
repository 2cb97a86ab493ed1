"""Server-sent events, read by hand: bytes as they come from the wire in, whole lines out.

The stream format is WHATWG HTML §9.2. Only what model providers use of it is read: `data` fields, LF or CRLF
line ends. Lines are cut while they are bytes, so a character split over two reads is whole again in its line.
"""

from collections.abc import Iterator

from chatcore.llm.errors import ProviderError

MAX_LINE = 1024 * 1024


class LineReader:
    """Cuts what arrives into lines. A line longer than 1 MiB is garbage, whether its end was seen or not."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their ends."""
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        if self._parts:
            self._parts.append(chunk)
            chunk = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
        *lines, rest = chunk.split(b"\n")
        if rest:
            self._keep(rest)
        if len(chunk) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
            raise ProviderError("garbage", f"a line longer than {MAX_LINE} bytes")
        return lines

    def rest(self) -> bytes:
        """What came after the last line end."""
        return b"".join(self._parts)

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > MAX_LINE:
            raise ProviderError("garbage", f"a line longer than {MAX_LINE} bytes")


def payloads(lines: list[bytes]) -> Iterator[bytes]:
    """The values of the `data` fields among `lines`; b"" stands for the blank line between events."""
    for line in lines:
        if line.startswith(b"data:"):
            yield line[5:].strip()
        elif line in {b"", b"\r"}:
            yield b""
