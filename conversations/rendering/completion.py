"""Markdown that breaks off in the middle, completed as it will probably go on, so that marks do not come and go."""

import re

MARKS = re.compile(r"[*_`~$\[\]\\<!&]|https?:|  \n")  # what makes text more than text
ADDRESS = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\s]*\Z")  # a link whose address is being written
SPANS = re.compile(
    r"""
      (?P<whole> (?P<ticks>(?<!`)`+(?!`)) .*? (?<!`)(?P=ticks)(?!`)
        | \\\( .*? \\\) | \\\[ .*? \\\] | \$\$ .*? \$\$ | (?<!\w)\$(?![\s$]) [^$\n]*? (?<!\s)\$(?!\d) )
    | (?P<code> `+ )
    | (?P<formula> \\\( | \\\[ | \$\$ | (?<!\w)\$(?=[^\s$]*[\\^_]) )
    | \\.
    | (?P<emphasis> \*{1,3} | _{1,3} | ~~ )
    """,
    re.VERBOSE | re.DOTALL,
)


def completed(text: str) -> str:
    """`text` with open emphasis and code closed, an open formula as its source, and an open link as its text."""
    if not MARKS.search(text):
        return text
    text = ADDRESS.sub(r"\1", text.rstrip("*_~`"))
    open_marks: list[str] = []
    for found in SPANS.finditer(text):
        if found["code"]:
            return text + found["code"] + "".join(reversed(open_marks))
        if found["formula"]:
            shown = f"{text[: found.start()]}`` {text[found.start() :]} ``"
            return shown + "".join(reversed(open_marks))
        if found["emphasis"]:
            _pair(
                open_marks, found["emphasis"], text[: found.start()][-1:], text[found.end() : found.end() + 1]
            )
    return text + "".join(reversed(open_marks))


def _pair(open_marks: list[str], mark: str, before: str, after: str) -> None:
    """Let `mark` close the mark it belongs to, or open one, by what stands on its two sides."""
    if mark in open_marks and before.strip():
        del open_marks[len(open_marks) - 1 - open_marks[::-1].index(mark) :]
    elif after.strip() and not (mark[0] == "_" and before.isalnum()):
        open_marks.append(mark)
