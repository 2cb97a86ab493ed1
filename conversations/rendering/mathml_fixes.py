"""What browsers draw of MathML is MathML Core: this turns the converter's older dialect into it."""

import re
from html import unescape
from itertools import pairwise
from xml.etree.ElementTree import Element

from conversations.rendering.letters import restyled

MAX_EMS = 10.0  # wider spaces and shifts would let a formula draw over the page around it
EMS = {
    "em": 1.0,
    "ex": 0.45,
    "mu": 1 / 18,
    "px": 1 / 16,
    "pt": 1 / 12,
    "pc": 1.0,
    "cm": 2.4,
    "mm": 0.24,
    "in": 6.0,
}
LENGTH = re.compile(r"\s*([+-]?\d*\.?\d+)\s*([a-z]*)\s*\Z")
REFERENCE = re.compile(r"&#x[0-9A-Fa-f]{1,6};")
NAMED_SPACES = {
    "thinmathspace": "0.167em",
    "mediummathspace": "0.222em",
    "thickmathspace": "0.278em",
    "negativethinmathspace": "-0.167em",
    "negativemediummathspace": "-0.222em",
    "negativethickmathspace": "-0.278em",
}
LENGTHS = ("width", "height", "depth", "lspace", "rspace", "voffset", "minsize", "maxsize", "linethickness")
LIMITS = {
    "lim",
    "max",
    "min",
    "sup",
    "inf",
    "limsup",
    "liminf",
    "det",
    "gcd",
    "Pr",
    "argmax",
    "argmin",
    "plim",
}
BIG_OPERATORS = set("∑∏∐⋃⋂⨆⨁⨂⨀⨄⋁⋀")
BRACKETS = {"(", ")", "[", "]", "{", "}", "|", "‖", "∣", "∥", "⟨", "⟩", "⌊", "⌋", "⌈", "⌉"}
CLOSING_BRACKETS = {")", "]", "}", "⟩", "⌋", "⌉", "!", "′"}
BARS = {"|", "‖", "∣", "∥"}
SIGNS = {"+", "-", "−", "±", "∓"}
OPERANDS = {"∞", "∅", "∂", "⊤"}  # which the converter takes for operators, with room on both sides
UNDER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
ACCENTS = {"^": "\u0302", "~": "˜", "―": "‾"}
LINES = {"→": "\u20d7", "←": "\u20d6", "―": "_"}  # what grows over or under several letters
LONG_ARROWS = {"→": "⟶", "←": "⟵", "↔": "⟷", "⇒": "⟹", "⇐": "⟸", "⇔": "⟺", "↦": "⟼"}
ARROWS = {*LONG_ARROWS, *LONG_ARROWS.values()}


def apply(root: Element) -> None:
    """Rewrite the tree in place."""
    for element in root.iter():
        element.text = _text(element.text)
        if element.tag == "mo" and element.text in OPERANDS:
            element.tag = "mi"
    for element in root.iter():
        _restyle(element)
        _limits(element)
        _enclose(element)
        _lengths(element)
        if element.tag == "mtable":
            _table(element)
        if element.tag in ("mover", "munder", "munderover"):
            _accent(element)
            _arrow(element)
        if element.tag == "msup":
            _prime(element)
    for parent in list(root.iter()):
        _brackets(parent)
        _signs(parent)
        _space_functions(parent)


def _text(text: str | None) -> str | None:
    """Character references are written out as text by the converter; what else looks like markup stays text."""
    return REFERENCE.sub(lambda found: unescape(found[0]), text) if text else text


def _restyle(element: Element) -> None:
    """`mathvariant` draws nothing but "normal" any more: letters come from Unicode's mathematical alphabets."""
    variant = element.attrib.pop("mathvariant", "")
    if variant == "normal" and element.tag == "mi":
        element.set("mathvariant", "normal")
    elif variant and element.text:
        element.text = restyled(element.text, variant)


def _limits(element: Element) -> None:
    """Limits stand below in a displayed formula and beside in a line; `movablelimits` says so."""
    if element.tag not in UNDER or not len(element):
        return
    base = element[0]
    words = "".join((base.text or "").split())
    if base.tag in ("mo", "mi") and (words in LIMITS or words in BIG_OPERATORS):
        base.tag = "mo"
        base.set("movablelimits", "true")
        element.tag = UNDER[element.tag]


def _enclose(element: Element) -> None:
    if element.tag == "menclose":
        notation = element.attrib.pop("notation", "")
        element.tag = "mrow"
        element.set("class", "struck" if "strike" in notation else "boxed")


def _lengths(element: Element) -> None:
    for name in LENGTHS:
        value = element.get(name)
        if value is None:
            continue
        value = NAMED_SPACES.get(value, value)
        if _is_modest(value):
            element.set(name, value)
        else:
            del element.attrib[name]


def _is_modest(value: str) -> bool:
    found = LENGTH.match(value)
    if not found:
        return False
    number, unit = float(found[1]), found[2]
    return number == 0 if not unit else abs(number) * EMS.get(unit, MAX_EMS + 1) <= MAX_EMS


def _table(table: Element) -> None:
    """Column alignment and ruled lines, which only style sheets draw: as classes of the cells."""
    columns = table.attrib.pop("columnlines", "").split()
    lines = table.attrib.pop("rowlines", "").split()
    for index, row in enumerate(table.findall("mtr")):
        below = index < len(lines) and lines[index] != "none"
        for column, cell in enumerate(row.findall("mtd")):
            classes = [cell.attrib.pop("columnalign", "")]
            classes += ["rule-end"] if column < len(columns) and columns[column] != "none" else []
            classes += ["rule-below"] if below else []
            if any(classes):
                cell.set("class", " ".join(filter(None, classes)))


def _accent(element: Element) -> None:
    """Marks above and below letters: which sign browsers place well, and which one grows, was found by looking."""
    mark = element[1] if len(element) == 2 else element
    text = mark.text or ""
    if mark.tag != "mo":
        return
    if text in LINES and "stretchy" not in mark.attrib and (element.tag == "munder" or text not in ACCENTS):
        mark.text = LINES[text]
        mark.set("stretchy", "true")
    elif text in ACCENTS and element.tag == "mover":
        mark.text = ACCENTS[text]
        element.set("accent", "true")


def _arrow(element: Element) -> None:
    """An arrow under or over words is a long one and stays so: browsers place the words of a growing one badly."""
    arrow = element[0] if len(element) else element
    if arrow.tag == "mstyle" and len(arrow) == 1:
        element[0] = arrow = arrow[0]
        arrow.text = LONG_ARROWS.get(arrow.text or "", arrow.text)
    if arrow.tag == "mo" and arrow.text in ARROWS:
        arrow.set("stretchy", "false")
    for words in element[1:]:
        if words.tag == "mpadded":
            words.tag, words.attrib = "mrow", {}
            words[:] = [Element("mspace", width="0.4em"), *words[:1], Element("mspace", width="0.4em")]


def _prime(element: Element) -> None:
    """Maths fonts draw primes raised already; as a superscript they would stand in the line above."""
    if len(element) == 2 and element[1].text and not element[1].text.strip("′″‴⁗"):
        element.tag = "mrow"
        element[1].tag, element[1].attrib = "mo", {"lspace": "0", "rspace": "0"}


def _brackets(parent: Element) -> None:
    """Brackets grow round a matrix and where `\\left` said so, and nowhere else."""
    children = list(parent)
    for index, child in enumerate(children):
        if (
            child.tag != "mo"
            or child.text not in BRACKETS
            or "stretchy" in child.attrib
            or "minsize" in child.attrib
        ):
            continue
        before = index > 0 and children[index - 1].tag == "mtable"
        behind = index + 1 < len(children) and children[index + 1].tag == "mtable"
        child.set("stretchy", "true" if before or behind else "false")
        if before or behind:
            child.set("form", "postfix" if before else "prefix")


def _signs(parent: Element) -> None:
    """A sign with nothing to its left belongs to what is on its right, a bar beside an operator to its other side."""
    children = list(parent)
    for index, child in enumerate(children):
        if child.tag != "mo" or "form" in child.attrib:
            continue
        is_first = index == 0 or _is_opening(children[index - 1])
        is_last = index + 1 == len(children) or children[index + 1].tag in ("mo", "mspace")
        if child.text in SIGNS and is_first:
            child.set("form", "prefix")
        elif child.text in BARS and (is_first or is_last):
            child.set("form", "prefix" if is_first else "postfix")


def _is_opening(element: Element) -> bool:
    closing = element.text in CLOSING_BRACKETS or element.get("form") == "postfix"
    return element.tag == "mspace" or (element.tag == "mo" and not closing)


def _space_functions(parent: Element) -> None:
    """A thin space between a named function and its argument: `sin x`, but `sin(x)`."""
    if parent.tag not in ("mrow", "mtd", "mstyle", "math", "mpadded"):
        return
    pairs = list(pairwise(parent))
    for index, (left, right) in reversed(list(enumerate(pairs, 1))):
        if (_is_function(left) and _is_operand(right)) or (_is_operand(left) and _is_function(right)):
            parent.insert(index, Element("mspace", width="0.167em"))


def _is_operand(element: Element) -> bool:
    return element.tag not in ("mo", "mspace")


def _is_function(element: Element) -> bool:
    if element.tag in ("msup", "msub", "msubsup") and len(element):
        element = element[0]
    text = element.text or ""
    return element.tag == "mi" and len(text) > 1 and text.isascii() and text.isalpha()
