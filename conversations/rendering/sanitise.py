"""The wall: which HTML may leave this package. Everything rendered passes `clean`; nothing else is trusted."""

import re
from functools import cache

import nh3

from conversations.rendering import code, links

MATHS = """
math mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle msub msubsup
msup mtable mtd mtext mtr munder munderover
"""
PROSE = """
a blockquote br code div em figcaption figure h1 h2 h3 h4 h5 h6 hr input li ol p pre s section span strong sup table
tbody td th thead tr ul
"""
TAGS = frozenset(MATHS.split() + PROSE.split())
LENGTHS = {"width", "height", "depth", "lspace", "voffset"}
ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "aria-label"},
    "div": {"aria-label"},
    "input": {"aria-label"},
    "math": {"alttext"},
    "mfrac": {"linethickness"},
    "mo": {"fence", "form", "largeop", "lspace", "maxsize", "minsize", "movablelimits", "rspace", "stretchy"},
    "mover": {"accent"},
    "mpadded": LENGTHS,
    "mrow": {"mathcolor"},
    "mspace": LENGTHS,
    "mstyle": {"displaystyle", "mathcolor", "scriptlevel"},
    "mtable": {"displaystyle"},
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
    "ol": {"start"},
    "section": {"aria-label"},
}
VALUES: dict[str, dict[str, set[str]]] = {
    "a": {"target": {"_blank"}},
    "div": {"role": {"group"}, "tabindex": {"0"}},
    "input": {"type": {"checkbox"}, "checked": {""}, "disabled": {""}},
    "math": {"display": {"block"}},
    "mi": {"mathvariant": {"normal"}},
    "pre": {"tabindex": {"0"}},
}
ALIGNMENTS = {"align-left", "align-center", "align-right"}
CLASSES: dict[str, set[str]] = {
    "a": {"footnote-back", "image"},
    "code": {"math-source"},
    "div": {"math-block", "table-scroll"},
    "figure": {"code"},
    "li": {"task"},
    "mrow": {"boxed", "struck"},
    "ol": {"tasks"},
    "mtd": {"left", "right", "rule-below", "rule-end"},
    "section": {"footnotes"},
    "span": {"host", *code.CLASSES},
    "sup": {"footnote-ref"},
    "td": ALIGNMENTS,
    "th": ALIGNMENTS,
    "ul": {"tasks"},
}
FOOTNOTE_ID = re.compile(r"fn(?:ref)?(?:-[\w-]+-)?\d+(?::\d+)?\Z", re.ASCII)


def clean(html: str, *, footnotes: bool = False) -> str:
    """`html` with everything dropped that is not on the lists above. Ids survive only with `footnotes`."""
    return _cleaner(footnotes).clean(html)


@cache
def _cleaner(footnotes: bool) -> nh3.Cleaner:
    attributes = ATTRIBUTES | {"a": {"href", "aria-label", "id"}, "li": {"id"}} if footnotes else ATTRIBUTES
    return nh3.Cleaner(
        tags=set(TAGS),
        attributes=attributes,
        tag_attribute_values=VALUES,
        allowed_classes=CLASSES,
        url_schemes=set(links.SCHEMES),
        url_relative=_relative,
        link_rel="noopener nofollow",
        # A call per attribute costs more than the cleaning itself, so only blocks that carry ids pay for it.
        attribute_filter=_own_ids if footnotes else None,
    )


def _relative(url: str) -> str | None:
    if url.startswith("#"):
        return url if FOOTNOTE_ID.match(url[1:]) else None
    return url if links.is_site_path(url) else None


def _own_ids(_tag: str, attribute: str, value: str) -> str | None:
    return None if attribute == "id" and not FOOTNOTE_ID.match(value) else value
