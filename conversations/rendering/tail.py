"""The open end of a stream as HTML, cheap to draw eight times a second.

The open region falls into parts: list items, table rows, an open fence, other text. Whole parts are rendered once
each, the last one as often as it grows. What this shows is a preview, safe but not binding: the region is parsed as
a whole once it is finished.
"""

import re
from dataclasses import dataclass, field
from enum import Enum, auto

from conversations.rendering import code, mathml, parts
from conversations.rendering.live import LiveText
from conversations.rendering.markdown import SENTINEL, Environment, References, environment

# Parts longer than so many characters are read anew only when they have grown by that factor: what stands there may
# show a little late, but the cost stays linear.
GROWTHS = ((10_000, 1.5), (1_000, 1.06), (0, 0.0))

# The last line while it is nothing but marks: a rule, a heading's underline, the next item or the head of a table.
UNDECIDED_LINE = re.compile(r"\n(?:[-*_=`~+|:#>$ \t]+|[ \t]*\d{1,3}[.)]?[ \t]*)\Z")


class Kind(Enum):
    TEXT = auto()
    ITEM = auto()
    HEAD = auto()  # of a table
    ROW = auto()
    FENCE = auto()
    MATHS = auto()


@dataclass
class Part:
    kind: Kind
    start: int  # in the open region, as everywhere here


@dataclass
class Container:
    """A list or table that is still open: its tags, and what stands between them."""

    key: str = ""
    opening: str = ""
    closing: str = ""
    sources: list[str] = field(default_factory=list)
    body: str = ""

    @property
    def html(self) -> str:
        return self.opening + self.body + self.closing


class Tail:
    """`begin` says where parts start, `show` draws; `html` is what was drawn last."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.references: References = {}
        self.clear()

    def clear(self) -> None:
        self.html = ""
        self._parts = [Part(Kind.TEXT, 0)]
        self._done = ""
        self._container = Container()
        self._is_loose = False
        self._delimiters = ""
        self._cache: dict[str, str] = {}
        self._forget_live()

    def begin(self, kind: Kind, start: int, *, is_loose: bool = False) -> None:
        if is_loose:
            self._loosen()
        self._forget_live()
        if self._parts[-1].start == start:
            self._parts[-1].kind = kind
        else:
            self._parts.append(Part(kind, start))

    def begin_table(self, delimiters: str, after: int) -> None:
        """The part that ends at `after` is the head of a table."""
        self._delimiters = delimiters
        self._parts[-1].kind = Kind.HEAD
        self.begin(Kind.ROW, after)

    def show(self, text: str) -> None:
        while len(self._parts) > 1:
            part = self._parts.pop(0)
            self._put_away(part.kind, text[part.start : self._parts[0].start])
        part = self._parts[0]
        self.html = self._drawn(part.kind, text[part.start :])

    def _environment(self) -> Environment:
        """A new one each time: what the unfinished text defines is not to be relied upon."""
        return environment(self.references, self.message_id)

    def _forget_live(self) -> None:
        self._live = LiveText()
        self._is_growing = False  # whether text is added inside `_before` and `_behind`
        self._source = ""  # what is shown of the last part
        self._read_length = 0  # how much of it was read as blocks, not just added to a text
        self._text = ""
        self._before = ""
        self._behind = ""

    def _drawn(self, kind: Kind, source: str) -> str:
        if not source:
            return self._done + self._container.html
        if kind is Kind.FENCE and "\n" in source:
            return self._done + self._container.html + _open_fence(source)
        if kind is Kind.MATHS:
            shown = mathml.source(source.strip()[2:])
            return f'{self._done}{self._container.html}<div class="math-block">{shown}</div>\n'
        added = source[len(self._source) :]
        goes_on = "\n" not in added and not (kind is Kind.ROW and "|" in added)
        growth = next(growth for length, growth in GROWTHS if len(source) > length)
        is_costly = len(source) < growth * self._read_length
        if not is_costly and not (goes_on and self._is_growing):
            self._read(kind, source)
        elif self._is_growing:
            self._source, self._text = source, self._text + added
        shown = self._live.html(self._text, self._environment()) if self._is_growing else ""
        return self._before + shown + self._behind

    def _read(self, kind: Kind, source: str) -> None:
        """Read the last part anew, and find the place where text will be added to it."""
        part = self._part(kind, UNDECIDED_LINE.sub("\n", source), is_open=True)
        self._source, self._text, self._read_length = source, part.text, len(source)
        self._is_growing = bool(part.text)
        if part.key and part.key == self._container.key:
            html = self._container.opening + self._container.body + part.body + self._container.closing
        else:
            html = self._container.html + part.html
        self._before, _, self._behind = html.partition(SENTINEL)
        self._before = self._done + self._before

    def _put_away(self, kind: Kind, source: str) -> None:
        part = self._part(kind, source)
        if not part.key or part.key != self._container.key:
            self._done += self._container.html
            self._container = Container(part.key, part.opening, part.closing)
        if part.key:
            self._container.sources.append(source)
        self._container.body += part.body

    def _part(self, kind: Kind, source: str, *, is_open: bool = False) -> parts.Rendered:
        if kind is Kind.HEAD:
            return parts.table_head(source, self._environment())
        if kind is Kind.ROW and self._container.key == parts.TABLE:
            return parts.row(source, self._delimiters, self._environment(), self._cache, is_open=is_open)
        if kind is Kind.ITEM:
            item = parts.item(
                source, self._environment(), self._cache, is_loose=self._is_loose, is_open=is_open
            )
            if item.is_loose and not self._is_loose:
                self._loosen()
                return self._part(kind, source, is_open=is_open)
            return item
        return parts.text(source, self._environment(), self._cache, is_open=is_open)

    def _loosen(self) -> None:
        """Items of a list stand as paragraphs as soon as one blank line stands between any of them."""
        if self._is_loose:
            return
        self._is_loose = True
        self._container.body = "".join(
            parts.item(source, self._environment(), self._cache, is_loose=True).body
            for source in self._container.sources
        )


def _open_fence(source: str) -> str:
    info, _, content = source.partition("\n")
    language = code.language_of(info.lstrip(" `~"))
    content, newline, last = content.rpartition("\n")
    shown = content + newline + ("" if last.strip(" `~") == "" else last)
    return code.with_buttons(code.plain_figure(shown, language))
