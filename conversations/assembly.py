"""A running reply as a watcher knows it: saved text plus deltas, whole up to `length`, whatever order they came in."""

from collections.abc import Callable


class Assembly:
    """One part of one reply. Characters come out of `grown` once, in order, without gaps.

    Deltas overlap freely; one that begins behind the end waits for the saved text to close the hole.
    """

    def __init__(self, attempt: int, grown: Callable[[int, str], None]) -> None:
        self.attempt = attempt
        self._grown = grown
        self._pieces: list[str] = []
        self._waiting: list[tuple[int, str]] = []
        self.length = 0

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def has_hole(self) -> bool:
        return bool(self._waiting)

    def add(self, offset: int, text: str) -> None:
        """A piece of the text that begins after `offset` characters; an old or a double one changes nothing."""
        if offset > self.length:
            self._waiting.append((offset, text))
            return
        self._append(text[self.length - offset :])
        self._retry_waiting()

    def _retry_waiting(self) -> None:
        waiting, self._waiting = sorted(self._waiting), []
        for offset, text in waiting:
            if offset > self.length:
                self._waiting.append((offset, text))
            else:
                self._append(text[self.length - offset :])

    def _append(self, text: str) -> None:
        if not text:
            return
        offset = self.length
        self._pieces.append(text)
        self.length += len(text)
        self._grown(offset, text)
