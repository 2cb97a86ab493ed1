"""LaTeX formulas as MathML that browsers draw. Nothing here is safe HTML yet: see `sanitise`."""

import re
from functools import lru_cache
from html import escape
from xml.etree.ElementTree import Element, tostring

from latex2mathml import exceptions as latex_errors
from latex2mathml.converter import Converter

from conversations.rendering import mathml_fixes

MAX_LENGTH = 5_000  # characters
MAX_DEPTH = 50  # nested braces, environments or \left: the converter recurses, and so would browsers
MAX_BARE_CHAIN = 40  # commands in a row: `\sqrt\sqrt…` nests without a brace

MACROS = re.compile(r"\\(?:re|provide)?newcommand|\\[egx]?def(?![a-z])|\\let(?![a-z])|\\DeclareMathOperator")
CHAIN = re.compile(rf"(?:\\[a-zA-Z]+[\s\[(]*){{{MAX_BARE_CHAIN + 1}}}")
NESTING = re.compile(r"\\.|\{|\}|[_^]", re.DOTALL)

ALIGNED = r"aligned|align|alignat|alignedat|flalign|eqnarray|split"
REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"\\(begin|end)\s*\{{(?:{ALIGNED})\*?\}}(?:\{{\d+\}}|\[[tcb]\])?", r"\\\1{align*}"),
        (r"\\(begin|end)\s*\{(?:gathered|gather|multline)\*?\}", r"\\\1{matrix}"),
        (r"\\(begin|end)\s*\{[dr]cases\*?\}", r"\\\1{cases}"),
        (r"\\(?:begin|end)\s*\{(?:equation|displaymath|math)\*?\}", ""),
        (r"\\label\s*\{[^{}]*\}|\\(?:nonumber|notag)(?![a-zA-Z])", ""),
        (r"\\arg\s*\\(max|min)(?![a-zA-Z])", r"\\arg\1"),
        (r"\\arg(?![a-zA-Z])", r"\\operatorname{arg}"),
        (r"\\mathrm\s*\{([a-zA-Z])\}", r"\\text{\1}"),
        (r"\\operatorname\s*\*?\s*\{\s*\\[a-z]+\s*([a-zA-Z ]+)\}", r"\\operatorname{\1}"),
    )
)


class Untypesettable(Exception):
    """This formula cannot be typeset."""


FAILURES: tuple[type[Exception], ...] = (
    *(
        error
        for error in vars(latex_errors).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ),
    Untypesettable,
    AttributeError,
    LookupError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)


@lru_cache(maxsize=2048)
def typeset(latex: str, *, display: bool) -> str | None:
    """One `<math>` element, or None where the formula is not understood and its source should be shown."""
    try:
        _refuse_excess(latex)
        mode = "block" if display else "inline"
        root = Converter(display=mode).convert_to_element(_rewritten(latex, display))
        mathml_fixes.apply(root)
    except FAILURES:
        return None
    return _serialised(root, latex, display)


def _serialised(root: Element, latex: str, display: bool) -> str:
    root.attrib = {"alttext": latex.strip()} | ({"display": "block"} if display else {})
    return tostring(root, encoding="unicode", short_empty_elements=False)


def source(latex: str) -> str:
    """What stands for a formula that could not be typeset, or is not complete yet."""
    return f'<code class="math-source">{escape(latex.strip(), quote=False)}</code>'


def _rewritten(latex: str, display: bool) -> str:
    """The same formula in the words the converter knows."""
    for pattern, replacement in REWRITES:
        latex = pattern.sub(replacement, latex)
    if display and "\\\\" in latex and "\\begin" not in latex:
        environment = "align*" if "&" in latex else "matrix"
        return rf"\begin{{{environment}}}{latex}\end{{{environment}}}"
    return latex


def _refuse_excess(latex: str) -> None:
    """Bound what the converter is asked to do: it expands macros without limit and recurses."""
    if len(latex) > MAX_LENGTH or MACROS.search(latex) or CHAIN.search(latex):
        raise Untypesettable
    if latex.count("\\left") > MAX_DEPTH or latex.count("\\begin") > MAX_DEPTH:
        raise Untypesettable
    depth = 0
    for found in NESTING.finditer(latex):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not 0 <= depth <= MAX_DEPTH:
            raise Untypesettable
    if depth:
        raise Untypesettable
