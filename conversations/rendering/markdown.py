"""The Markdown dialect of messages: CommonMark without HTML, with tables, tasks, strikethrough, footnotes and maths."""

import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, table
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from conversations.rendering import links
from conversations.rendering.maths import maths
from conversations.rendering.renderer import MessageRenderer

MAX_NESTING = 24  # levels of blocks; a list takes two
# Every level of quotes reads its lines once more; below this level `>` is a sign like any other.
MAX_QUOTE_LEVEL = 8
# Missing cells of a table are made up and cost as much as written ones; wider tables are text.
MAX_COLUMNS = 60
# A paragraph or cell longer than this, or with more brackets (each may start a link), is shown as it is written.
MAX_INLINE, MAX_BRACKETS = 20_000, 1_000
SENTINEL = "\ufdd0"  # a noncharacter, so no message's own: marks a place inside rendered text
UNPRINTABLE = re.compile(f"[\0\ud800-\udfff{SENTINEL}]")

References = dict[str, Any]
Environment = MutableMapping[str, Any]


class MessageMarkdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802
        return links.is_allowed(url)


@dataclass(frozen=True)
class Section:
    """A parsed stretch of text: its top-level blocks as groups of tokens, and what it defines for others."""

    groups: tuple[tuple[Token, ...], ...]
    env: Environment

    @property
    def references(self) -> References:
        """Link reference definitions, those known before and its own, by normalised label."""
        found: References = self.env["references"]
        return found

    @property
    def has_footnotes(self) -> bool:
        return bool(self.env.get("footnotes", {}).get("refs"))

    @property
    def is_too_deep(self) -> bool:
        """Whether blocks nest so deep that the parser may have skipped text."""
        return any(token.level >= MAX_NESTING - 1 for group in self.groups for token in group)


def normalised(text: str) -> str:
    """`text` with one kind of line end and without characters that no page can carry."""
    return UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def parse(text: str, references: References, message_id: str = "") -> Section:
    """Parse normalised `text`. `references` are the definitions of what stands before it; they are not changed."""
    env = environment(references, message_id)
    tokens = MARKDOWN.parse(text, env)
    return Section(groups=tuple(_top_level(tokens)), env=env)


def environment(references: References, message_id: str) -> Environment:
    return {"references": dict(references), "message_id": re.sub(r"[^\w-]", "", message_id, flags=re.ASCII)}


def _top_level(tokens: list[Token]) -> list[tuple[Token, ...]]:
    groups: list[tuple[Token, ...]] = []
    first = depth = 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            groups.append(tuple(tokens[first : index + 1]))
            first = index + 1
    return groups


def _inline(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline":
            token.children = inline_tokens(token.content, state.env)


def inline_tokens(content: str, env: Environment) -> list[Token]:
    """The tokens inside one paragraph, heading or cell."""
    if len(content) > MAX_INLINE or content.count("[") > MAX_BRACKETS:
        return [Token("text", "", 0, content=content)]
    tokens: list[Token] = []
    return MARKDOWN.inline.parse(content, MARKDOWN, env, tokens)


def block_tokens(text: str, env: Environment) -> list[Token]:
    """The block structure of `text` alone; `inline` tokens still hold their source."""
    tokens: list[Token] = []
    MARKDOWN.block.parse(text, MARKDOWN, env, tokens)
    return tokens


def block_html(tokens: Sequence[Token], env: Environment) -> str:
    """Not safe yet: see `sanitise`."""
    return RENDERER.render(tokens, MARKDOWN.options, env)


def text_html(tokens: Sequence[Token], env: Environment) -> str:
    """The same for what `inline_tokens` gives."""
    return RENDERER.renderInline(tokens, MARKDOWN.options, env)


def _table(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    columns = state.src.count("|", state.bMarks[first], state.eMarks[first])
    return columns <= MAX_COLUMNS and table(state, first, end, silent)


def _blockquote(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    return state.level < MAX_QUOTE_LEVEL and blockquote(state, first, end, silent)


def _markdown() -> MessageMarkdown:
    options = {"maxNesting": MAX_NESTING, "html": False, "tasklists": True, "xhtmlOut": False}
    md = MessageMarkdown("commonmark", options, renderer_cls=MessageRenderer)
    md.enable(["table", "strikethrough"]).disable(["html_block", "html_inline"])
    md.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    md.block.ruler.at("blockquote", _blockquote, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    md.use(maths)
    md.inline.ruler.before("escape", "bare_address", links.bare_address)
    md.use(footnote_plugin, inline=False)
    md.core.ruler.at("inline", _inline)
    for name in (
        "footnote_ref",
        "footnote_anchor",
        "footnote_block_open",
        "footnote_block_close",
        "footnote_open",
    ):
        md.add_render_rule(name, getattr(MessageRenderer, name))
    md.add_render_rule("footnote_close", MessageRenderer.footnote_close)
    return md


MARKDOWN = _markdown()
RENDERER = cast(MessageRenderer, MARKDOWN.renderer)
