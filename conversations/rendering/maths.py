"""Maths in messages: where it stands in the Markdown. `$…$`, `\\(…\\)`, and displayed `$$…$$` and `\\[…\\]`."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
PUNCTUATION = " \t.,;:"

# Money is written with the same sign: an opening dollar touches its formula and follows no letter or digit, a closing
# one touches it too and precedes no digit. "$5 and $6" and "US$5" are none.
DOLLARS = re.compile(r"\$(?![\s$])((?:\\.|[^\\$])*?)(?<![\s\\])\$(?![\d$])", re.DOTALL)
MONEY = re.compile(r"[\d.,]+[kKmMbB]?\s+[a-z]{2}[^\\=^_]*\Z")


def maths(md: MarkdownIt) -> None:
    """The plug-in: two token types, `math_block` and `math_inline` (with `markup` "$$" when displayed)."""
    alternatives = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    md.block.ruler.before("fence", "math_block", _block, alternatives)  # type: ignore[arg-type]
    md.inline.ruler.before("escape", "math_inline", _inline)


def _block(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """A displayed formula that starts a line, ends one, and has no blank line in it."""
    start = state.bMarks[first] + state.tShift[first]
    opener = state.src[start : start + 2]
    if opener not in ("$$", "\\[") or state.is_code_block(first):
        return False
    found = _closing_line(state, first, end, opener)
    if found is None:
        return False
    last, content = found
    if not content.strip(PUNCTUATION + "\n"):
        return False
    if silent:
        return True
    state.line = last + 1
    token = state.push("math_block", "math", 0)
    token.content, token.markup, token.map = content, opener, [first, state.line]
    return True


def _closing_line(state: StateBlock, first: int, end: int, opener: str) -> tuple[int, str] | None:
    """The line that ends the formula, and the formula. A search that failed is remembered: the next lines that
    open one with the same sign would fail at the same place."""
    failed: dict[tuple[str, int], int] = state.env.setdefault("maths_failed", {})
    lines: list[str] = []
    line, start = first, state.bMarks[first] + state.tShift[first] + 2
    while True:
        text = state.src[start : state.eMarks[line]]
        body, closer, rest = text.partition(CLOSERS[opener])
        if closer:
            lines.append(body + rest.strip())
            return None if rest.strip(PUNCTUATION) else (line, "\n".join(lines))
        lines.append(text)
        line += 1
        if first < failed.get((opener, state.level), -1):
            return None
        if line >= end or state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            failed[opener, state.level] = line
            state.env["maths_reached_end"] = (
                state.env.get("maths_reached_end", False) or line >= state.lineMax
            )
            return None
        start = state.bMarks[line] + state.tShift[line]


def _inline(state: StateInline, silent: bool) -> bool:
    sign = state.src[state.pos]
    if sign not in "$\\":
        return False
    opener = state.src[state.pos : state.pos + 2]
    if opener in CLOSERS:
        return _between(state, silent, opener)
    return sign == "$" and _dollars(state, silent)


def _between(state: StateInline, silent: bool, opener: str) -> bool:
    closer = CLOSERS[opener]
    start = state.pos + 2
    end = -1 if _is_known_absent(state, closer) else state.src.find(closer, start, state.posMax)
    if end < 0:
        _remember_absent(state, closer)
    content = state.src[start:end].strip() if end >= 0 else ""
    is_link = opener == "\\[" and state.src.startswith("(", end + 2)
    if not content or is_link:
        return opener == "$$" and _as_text(state, silent, "$$")
    _push(state, silent, content, "" if opener == "\\(" else "$$")
    state.pos = end + 2
    return True


def _dollars(state: StateInline, silent: bool) -> bool:
    before = state.src[state.pos - 1] if state.pos else " "
    found = None if before.isalnum() else DOLLARS.match(state.src, state.pos, state.posMax)
    if not found or MONEY.match(found[1]):
        return _as_text(state, silent, "$")
    _push(state, silent, found[1], "")
    state.pos = found.end()
    return True


def _push(state: StateInline, silent: bool, content: str, markup: str) -> None:
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.markup = content, markup


def _as_text(state: StateInline, silent: bool, text: str) -> bool:
    if not silent:
        state.append_pending(text)
    state.pos += len(text)
    return True


def _is_known_absent(state: StateInline, closer: str) -> bool:
    source, absent = state.env.get("maths_absent", ("", frozenset()))
    return source is state.src and closer in absent


def _remember_absent(state: StateInline, closer: str) -> None:
    """That `closer` stands nowhere in the rest of this text, so that a thousand openers do not search it each."""
    source, absent = state.env.get("maths_absent", ("", frozenset()))
    known: frozenset[str] = absent if source is state.src else frozenset()
    state.env["maths_absent"] = (state.src, known | {closer})
