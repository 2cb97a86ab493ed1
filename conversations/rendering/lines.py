"""What one line of Markdown may be, seen alone. A guess that spares work: only the parser decides (`stream`)."""

import re
from dataclasses import dataclass

from conversations.rendering.maths import CLOSERS

FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*\Z)|~{3,})")
HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|\Z)")
ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?:[ \t]|\Z)")
DELIMITERS = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
MATHS = re.compile(r" {0,3}(\$\$|\\\[)")
DECISIVE = 12  # characters; the longest list marker, nine digits, a sign and a space, is shorter


@dataclass(frozen=True)
class Fence:
    """An open code fence: the sign, and how often it stands."""

    sign: str
    length: int

    def is_closed_by(self, line: str) -> bool:
        bare = line.rstrip(" \t")
        marks = bare.lstrip(" ")
        return len(bare) - len(marks) <= 3 and len(marks) >= self.length and not marks.strip(self.sign)


def opened_fence(line: str) -> Fence | None:
    found = FENCE.match(line)
    return Fence(found[1][0], len(found[1])) if found else None


def opened_maths(line: str) -> str:
    """The sign that would end the displayed formula this line starts, or "" if it starts none."""
    found = MATHS.match(line)
    return CLOSERS[found[1]] if found else ""


def is_heading(line: str) -> bool:
    return HEADING.match(line) is not None


def is_item(line: str) -> bool:
    """Whether a list item starts at the very margin."""
    return ITEM.match(line) is not None


def is_any_item(line: str) -> bool:
    """Whether a list item starts here, however far from the margin."""
    return ITEM.match(line.lstrip(" \t")) is not None


def is_delimiters(line: str) -> bool:
    """Whether this may be the second line of a table."""
    return "-" in line and DELIMITERS.match(line) is not None


def is_flush(line: str) -> bool:
    return not line.startswith((" ", "\t"))


def is_blank(line: str) -> bool:
    return not line.strip(" \t")


def is_decisive(beginning: str) -> bool:
    """Whether a line that goes on like this has shown what it is."""
    return beginning[:1].isalpha() or len(beginning) >= DECISIVE


def is_settled(line: str) -> bool:
    """Whether text added to this line will go on inside the same blocks, whatever it is."""
    text = line.strip(" \t")
    return len(text) >= 8 and any(map(str.isalpha, text))
