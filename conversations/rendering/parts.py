"""Parts of the open region as HTML: an item, a row, any other text. See `tail`, which puts them together."""

import re
from dataclasses import dataclass

from markdown_it.token import Token

from conversations.rendering import blocks, lines
from conversations.rendering.completion import completed
from conversations.rendering.live import inline_html
from conversations.rendering.markdown import (
    SENTINEL,
    Environment,
    block_html,
    block_tokens,
    inline_tokens,
)

TABLE = "table"
ROWS, TABLE_END = "<tbody>\n", "</tbody>\n</table></div>\n"
CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Rendered:
    """A part as HTML. Parts with the same `key` share the tags around them. Where an open part will go on, its
    body has the sentinel in place of `text`, the source of the paragraph that is being written."""

    body: str
    opening: str = ""
    closing: str = ""
    key: str = ""
    text: str = ""
    is_loose: bool = False

    @property
    def html(self) -> str:
        return self.opening + self.body + self.closing


def text(source: str, env: Environment, cache: dict[str, str], *, is_open: bool = False) -> Rendered:
    tokens, growing = _tokens(source, env, cache, is_open)
    return Rendered(_html(tokens, env), text=growing)


def item(
    source: str, env: Environment, cache: dict[str, str], *, is_loose: bool, is_open: bool = False
) -> Rendered:
    """One item of a list at the margin, without the list's own tags."""
    tokens, growing = _tokens(source, env, cache, is_open)
    if not _is_one_list(tokens):
        return Rendered(_html(tokens, env), text=growing)
    paragraphs = [token for token in tokens if token.level == 2 and token.tag == "p"]
    own_loose = any(not token.hidden for token in paragraphs)
    if is_loose:
        for token in paragraphs:
            token.hidden = False
    opening, newline, rest = _html(tokens, env).partition("\n")
    closing = f"</{tokens[0].tag}>\n"
    key = tokens[0].tag + tokens[0].markup
    return Rendered(rest.removesuffix(closing), opening + newline, closing, key, growing, own_loose)


def table_head(source: str, env: Environment) -> Rendered:
    html = text(source, env, {}).html
    if not html.endswith("</thead>\n</table></div>\n"):
        return Rendered(html)
    return Rendered("", html.removesuffix("</table></div>\n") + ROWS, TABLE_END, TABLE)


def row(
    source: str, delimiters: str, env: Environment, cache: dict[str, str], *, is_open: bool = False
) -> Rendered:
    """Rows of a table, each a line. The last cell goes on while no sign ends it."""
    alignments = [_alignment(column) for column in delimiters.strip(" \t|").split("|")]
    rows: list[str] = []
    growing = ""
    for line in filter(None, source.split("\n")):
        cells = [
            cell.strip(" \t").replace("\\|", "|") for cell in CELLS.split(line.strip(" \t").removeprefix("|"))
        ]
        shown = [cached_html(cell, env, cache) for cell in cells[: len(alignments)]]
        if is_open and len(cells) <= len(alignments) and source.endswith(line) and cells[-1]:
            growing, shown[-1] = cells[-1] + line[len(line.rstrip(" \t")) :], SENTINEL
        shown += [""] * (len(alignments) - len(shown))
        rows.append(_row_html(shown, alignments))
    return Rendered("".join(rows), key=TABLE, text=growing)


def _alignment(column: str) -> str:
    column = column.strip(" \t")
    sides = (column.startswith(":"), column.endswith(":"))
    name = {(True, True): "center", (False, True): "right", (True, False): "left"}.get(sides, "")
    return f' class="align-{name}"' if name else ""


def _row_html(cells: list[str], alignments: list[str]) -> str:
    shown = (f"<td{kind}>{cell}</td>\n" for cell, kind in zip(cells, alignments, strict=True))
    return f"<tr>\n{''.join(shown)}</tr>\n"


def cached_html(content: str, env: Environment, cache: dict[str, str]) -> str:
    html = cache.get(content)
    if html is None:
        html = cache[content] = inline_html(inline_tokens(content, env), env)
    return html


def _tokens(source: str, env: Environment, cache: dict[str, str], is_open: bool) -> tuple[list[Token], str]:
    """The tokens of `source`, their text rendered, and the text that will go on (see `Rendered`)."""
    tokens = [token for token in block_tokens(source, env) if not token.type.startswith("footnote_")]
    ends = [token for token in tokens if token.content]
    if is_open and ends and ends[-1].type == "fence":
        ends[-1].meta["goes_on"] = True
    texts = [token for token in tokens if token.type == "inline" and token.content]
    growing = _growing(source, texts[-1].content) if is_open and texts else ""
    for token in texts:
        if token is texts[-1] and growing:
            html = SENTINEL
        elif token is texts[-1] and is_open:
            html = inline_html(inline_tokens(completed(token.content), env), env)
        else:
            html = cached_html(token.content, env, cache)
        token.children = [Token("html_inline", "", 0, content=html)]
    return tokens, growing


def _growing(source: str, content: str) -> str:
    """`content` and the spaces behind it, if it stands at the very end of `source` and will be added to."""
    last_line = source[source.rfind("\n") + 1 :]
    bare = source.rstrip(" \t")
    if not lines.is_settled(last_line) or not bare.endswith(content[content.rfind("\n") + 1 :]):
        return ""
    return content + source[len(bare) :]


def _html(tokens: list[Token], env: Environment) -> str:
    return blocks.finished(block_html(tokens, env))


def _is_one_list(tokens: list[Token]) -> bool:
    if not tokens or tokens[0].type not in ("bullet_list_open", "ordered_list_open"):
        return False
    return tokens[-1].level == 0 and sum(not token.level for token in tokens) == 2
