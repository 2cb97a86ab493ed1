"""A whole text as sanitised HTML: one string per top-level block."""

from html import escape

from django.utils.translation import get_language

from conversations.rendering import code, sanitise
from conversations.rendering.cache import RenderedTexts
from conversations.rendering.markdown import Section, block_html, normalised, parse

MAX_MARKDOWN = 200_000  # characters; what follows is shown as it is written

RENDERED = RenderedTexts()


def render(text: str, *, message_id: str = "") -> str:
    """Safe HTML of a message. `message_id` keeps the footnotes of the messages of one page apart."""
    text = normalised(text)
    key = cache_key(text, message_id)
    html = RENDERED.get(key)
    if html is None:
        html = "".join(render_blocks(text, message_id))
        RENDERED.put(key, html)
    return html


def cache_key(text: str, message_id: str) -> bytes:
    """The labels of buttons depend on the language, the ids of footnotes on the message; nothing else does."""
    return RenderedTexts.key(text, message_id if "[^" in text else "", get_language() or "")


def render_blocks(text: str, message_id: str) -> tuple[str, ...]:
    """The blocks of normalised `text`; joined, they are what `render` gives."""
    section = parse(text[:MAX_MARKDOWN], {}, message_id)
    if section.is_too_deep:
        return (plain(text),)
    blocks = section_blocks(section)
    rest = text[MAX_MARKDOWN:]
    return (*blocks, plain(rest)) if rest else blocks


def section_blocks(section: Section) -> tuple[str, ...]:
    notes = section.has_footnotes
    return tuple(finished(block_html(group, section.env), footnotes=notes) for group in section.groups)


def finished(html: str, *, footnotes: bool = False) -> str:
    """Sanitised, then given the buttons that no message could have brought along."""
    return code.with_buttons(sanitise.clean(html, footnotes=footnotes))


def plain(text: str) -> str:
    """`text` as it is written: for what is too long or too deep to be read as Markdown."""
    return f'<pre tabindex="0">{escape(text, quote=False)}</pre>\n'
