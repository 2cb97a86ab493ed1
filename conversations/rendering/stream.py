"""A message rendered while it is written: finished blocks once and for good, the open end again and again.

A stretch of text is finished when nothing that may follow can change how it reads. Two places are sure: before a line
at the margin that stands after a blank line and does not go on with a list, and behind a line that closes a code
fence, a heading or a displayed formula. `lines` guesses such places, the parser confirms them, and the stretch is
parsed just that once. Two things still reach back, link definitions and footnotes: they make `finish` render the
whole text again and say so with `reset`.
"""

from dataclasses import dataclass

from conversations.rendering import blocks, lines
from conversations.rendering.markdown import Section, normalised, parse
from conversations.rendering.tail import Kind, Tail


@dataclass(frozen=True)
class Update:
    """Put `blocks` in at index `first`, drop the old tail, put `tail` behind them.

    With `reset`, what was shown before is replaced from index 0 on.
    """

    first: int
    blocks: tuple[str, ...]
    tail: str
    reset: bool = False


class BlockStream:
    """One message as it streams in. Joined, all blocks at the end are `render(text)`, byte for byte."""

    def __init__(self, *, message_id: str = "") -> None:
        self.message_id = message_id
        self._pieces: list[str] = []
        self._length = 0
        self._carriage_return = ""
        self._blocks: list[str] = []
        self._sent = 0
        self._whole = False
        self._brackets = False
        self._finished = False
        self._section = parse("", {})
        self._open = ""
        self._tail = Tail(message_id)
        self._begin_region("")

    def feed(self, text: str) -> None:
        text = self._carriage_return + text
        self._carriage_return = "\r" if text.endswith("\r") else ""
        text = normalised(text.removesuffix("\r"))
        self._pieces.append(text)
        room = max(0, blocks.MAX_MARKDOWN - self._length)
        self._open += text[:room]
        self._length += len(text)

    def update(self) -> Update:
        if not self._finished:
            self._advance()
            self._tail.show(self._open)
        return self._news()

    def finish(self) -> Update:
        """Close the last block. What is fed afterwards is not shown."""
        if self._finished:
            return self._news()
        self._finished = True
        if self._carriage_return:
            self.feed("\n")
        text = "".join(self._pieces)
        if not self._whole:
            self._take(parse(self._open, self._section.references, self.message_id), self._open)
        self._tail.clear()
        if self._whole:
            self._blocks = list(blocks.render_blocks(text, self.message_id))
            self._sent = 0
        elif len(text) > blocks.MAX_MARKDOWN:
            self._blocks.append(blocks.plain(text[blocks.MAX_MARKDOWN :]))
        blocks.RENDERED.put(blocks.cache_key(text, self.message_id), "".join(self._blocks))
        return self._news(reset=self._whole)

    def snapshot(self) -> Update:
        """Everything up to the last update, for a watcher who joins late."""
        return Update(0, tuple(self._blocks[: self._sent]), self._tail.html, reset=True)

    def _news(self, *, reset: bool = False) -> Update:
        first, self._sent = self._sent, len(self._blocks)
        return Update(first, tuple(self._blocks[first:]), self._tail.html, reset)

    def _begin_region(self, text: str) -> None:
        """Start reading the open text anew: nothing of it is known."""
        self._open = text
        self._line = 0  # where the line being read starts
        self._is_begun = False
        self._is_after_blank = False
        self._is_list = False
        self._is_table = False
        self._previous = ""
        self._fence: lines.Fence | None = None
        self._fence_start = 0
        self._maths = ""
        self._retry_length = 0
        self._tail.clear()

    def _advance(self) -> None:
        while True:
            end = self._open.find("\n", self._line)
            line = self._open[self._line : end if end >= 0 else len(self._open)]
            if not self._is_begun and (end >= 0 or lines.is_decisive(line)):
                self._begin_line(line)
                self._is_begun = True
            if end < 0:
                return
            after = self._line + len(line) + 1
            cut = self._end_line(line, after)
            self._line = 0 if cut else after
            self._is_begun = False

    def _begin_line(self, line: str) -> None:
        """What a line does to the ones before it, as soon as it has shown what it is."""
        if not (self._fence or self._maths or lines.is_blank(line)):
            self._begin_part(line)
        self._is_list = self._is_list or lines.is_any_item(line)

    def _begin_part(self, line: str) -> None:
        goes_on = self._is_list and lines.is_item(line)
        if self._is_after_blank and lines.is_flush(line) and not goes_on and self._cut(self._line):
            self._line = 0
        if lines.is_item(line):
            self._tail.begin(Kind.ITEM, self._line, is_loose=goes_on and self._is_after_blank)
        elif self._is_table:
            self._tail.begin(Kind.ROW, self._line)

    def _end_line(self, line: str, after: int) -> bool:
        """What a whole line does to the ones after it. True if it ended the region."""
        if self._fence:
            return self._fence.is_closed_by(line) and self._close(after)
        if self._maths:
            return self._end_maths_line(line, after)
        self._is_after_blank = lines.is_blank(line)
        if self._is_after_blank:
            self._is_table = False
        elif lines.is_flush(line) or not self._is_list:
            return self._end_block_line(line, after)
        return False

    def _end_block_line(self, line: str, after: int) -> bool:
        """The same for a line that is not inside a list item, a fence or a formula."""
        if fence := lines.opened_fence(line):
            self._fence, self._fence_start, self._is_table = fence, self._line, False
            self._tail.begin(Kind.FENCE, self._line)
            return False
        if lines.is_heading(line):
            return self._close(after)
        if maths := lines.opened_maths(line):
            return self._open_maths(line, maths, after)
        if "|" in self._previous and lines.is_delimiters(line) and not self._is_table:
            self._is_table = True
            self._tail.begin_table(line, after)
        self._previous = line
        return False

    def _open_maths(self, line: str, closer: str, after: int) -> bool:
        if closer in line.lstrip()[2:]:
            return self._close(after)
        self._maths = closer
        self._tail.begin(Kind.MATHS, self._line)
        return False

    def _end_maths_line(self, line: str, after: int) -> bool:
        is_blank = lines.is_blank(line)
        if self._maths not in line and not is_blank:
            return False
        self._maths = ""
        self._is_after_blank = is_blank
        if not is_blank:
            return self._close(after)
        self._tail.begin(Kind.TEXT, after)
        return False

    def _close(self, after: int) -> bool:
        """Try to end the region behind a line that closes something; the next line starts a new part anyhow."""
        start, self._fence = self._fence_start if self._fence else -1, None
        if self._cut(after, closing=True, fence_start=start):
            return True
        self._tail.begin(Kind.TEXT, after)
        self._is_table = False
        return False

    def _cut(self, end: int, *, closing: bool = False, fence_start: int = -1) -> bool:
        """Finish the open text up to `end`, if the parser agrees. A refusal costs a parse, so the next try waits
        until the text is twice as long: all tries together stay linear."""
        if end < self._retry_length:
            return False
        text = self._open[:end]
        section = parse(text, self._section.references, self.message_id)
        height = text.count("\n")
        if closing:
            line = text.count("\n", 0, fence_start) if fence_start >= 0 else -1
            is_final = _ends_closed(section, height, line)
        else:
            is_final = not _ends_open(section, height)
        if not is_final:
            self._retry_length = 2 * end
            return False
        self._take(section, text)
        self._begin_region(self._open[end:])
        return True

    def _take(self, section: Section, text: str) -> None:
        """Render a finished section, and note if it changes how others read."""
        is_defining = len(section.references) > len(self._section.references)
        if section.has_footnotes or section.is_too_deep or (is_defining and self._brackets):
            self._whole = True
        self._brackets = self._brackets or "[" in text
        self._section = section
        self._tail.references = section.references
        self._blocks.extend(blocks.section_blocks(section))


def _ends_open(section: Section, height: int) -> bool:
    """Whether the last block of these `height` lines, the last of them blank, is a fence that was never closed."""
    last = section.groups[-1][-1] if section.groups else None
    return last is not None and last.type == "fence" and last.map is not None and last.map[1] >= height


def _ends_closed(section: Section, height: int, fence_line: int) -> bool:
    """Whether the last of `height` lines closes a top-level block that nothing can go on with."""
    if not section.groups or section.env.get("maths_reached_end"):
        return False
    first = section.groups[-1][0]
    if first.map is None or first.map[1] != height:
        return False
    if first.type == "fence":
        return first.map[0] == fence_line
    return first.type == "math_block" or (first.type == "heading_open" and first.markup.startswith("#"))
