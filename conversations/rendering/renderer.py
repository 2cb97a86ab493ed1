"""From tokens to HTML: one method per token type that a message draws otherwise than Markdown's own renderer does."""

from collections.abc import Sequence
from html import escape

from django.utils.translation import gettext
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from conversations.rendering import code, links, mathml

Tokens = Sequence[Token]


class MessageRenderer(RendererHTML):
    """Its output is not safe before `sanitise.clean`."""

    def fence(self, tokens: Tokens, idx: int, _options: OptionsDict, _env: EnvType) -> str:
        token = tokens[idx]
        draw = code.plain_figure if token.meta.get("goes_on") else code.figure
        return draw(token.content, code.language_of(token.info))

    def code_block(self, tokens: Tokens, idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return code.figure(tokens[idx].content, "")

    def text_special(self, tokens: Tokens, idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return escape(tokens[idx].content, quote=False)

    def math_inline(self, tokens: Tokens, idx: int, _options: OptionsDict, _env: EnvType) -> str:
        token = tokens[idx]
        return mathml.typeset(token.content, display=token.markup == "$$") or mathml.source(token.content)

    def math_block(self, tokens: Tokens, idx: int, _options: OptionsDict, _env: EnvType) -> str:
        latex = tokens[idx].content
        drawn = mathml.typeset(latex, display=True) or mathml.source(latex)
        return f'<div class="math-block" tabindex="0">{drawn}</div>\n'

    def link_open(self, tokens: Tokens, idx: int, options: OptionsDict, env: EnvType) -> str:
        tokens[idx].attrs["target"] = "_blank"
        return self.renderToken(tokens, idx, options, env)

    def link_close(self, tokens: Tokens, idx: int, _options: OptionsDict, _env: EnvType) -> str:
        """Closes with the host, unless the link's text is that address: a reader sees where a link leads."""
        first = idx
        while tokens[first].type != "link_open":
            first -= 1
        name = links.host(str(tokens[first].attrs["href"]))
        text = "".join(token.content for token in tokens[first:idx])
        return "</a>" if not name or links.shows(text, name) else f"{_host(name)}</a>"

    def image(self, tokens: Tokens, idx: int, options: OptionsDict, env: EnvType) -> str:
        """A link to the picture: drawing it would tell its host who reads this, and when."""
        alt = self.renderInlineAsText(tokens[idx].children, options, env).strip()
        if _is_inside_link(tokens, idx):
            return escape(alt or gettext("Image"))
        source = str(tokens[idx].attrs["src"])
        label = gettext("Open image: %(alt)s") % {"alt": alt} if alt else gettext("Open image")
        name = links.host(source)
        shown = escape(label) + (_host(name) if name else "")
        return f'<a class="image" href="{escape(source)}" target="_blank">{shown}</a>'

    def bullet_list_open(self, tokens: Tokens, idx: int, options: OptionsDict, env: EnvType) -> str:
        if "class" in tokens[idx].attrs:
            tokens[idx].attrs["class"] = "tasks"
        return self.renderToken(tokens, idx, options, env)

    ordered_list_open = bullet_list_open

    def list_item_open(self, tokens: Tokens, idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        if "checked" not in token.meta:
            return self.renderToken(tokens, idx, options, env)
        token.attrs["class"] = "task"
        opening = self.renderToken(tokens, idx, options, env)
        checked, label = (" checked", gettext("Done")) if token.meta["checked"] else ("", gettext("To do"))
        return f'{opening}<input type="checkbox" disabled{checked} aria-label="{escape(label)}"> '

    def table_open(self, _tokens: Tokens, _idx: int, _options: OptionsDict, _env: EnvType) -> str:
        label = escape(gettext("Table"))
        return f'<div class="table-scroll" role="group" aria-label="{label}" tabindex="0"><table>\n'

    def table_close(self, _tokens: Tokens, _idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Tokens, idx: int, options: OptionsDict, env: EnvType) -> str:
        style = str(tokens[idx].attrs.pop("style", ""))
        if style:
            tokens[idx].attrs["class"] = "align-" + style.removeprefix("text-align:")
        return self.renderToken(tokens, idx, options, env)

    td_open = th_open

    def footnote_ref(self, tokens: Tokens, idx: int, _options: OptionsDict, env: EnvType) -> str:
        note, mention = _note_ids(tokens[idx], env)
        number = tokens[idx].meta["id"] + 1
        return f'<sup class="footnote-ref"><a href="#{note}" id="{mention}">{number}</a></sup>'

    def footnote_anchor(self, tokens: Tokens, idx: int, _options: OptionsDict, env: EnvType) -> str:
        _, mention = _note_ids(tokens[idx], env)
        return f' <a href="#{mention}" class="footnote-back" aria-label="{escape(gettext("Back to the text"))}">↩︎</a>'

    def footnote_block_open(self, _tokens: Tokens, _idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return f'<section class="footnotes" aria-label="{escape(gettext("Footnotes"))}">\n<ol>\n'

    def footnote_block_close(self, _tokens: Tokens, _idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return "</ol>\n</section>\n"

    def footnote_open(self, tokens: Tokens, idx: int, _options: OptionsDict, env: EnvType) -> str:
        note, _ = _note_ids(tokens[idx], env)
        return f'<li id="{note}">'

    def footnote_close(self, _tokens: Tokens, _idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return "</li>\n"


def _host(name: str) -> str:
    return f' <span class="host">{escape(name)}</span>'


def _is_inside_link(tokens: Tokens, idx: int) -> bool:
    depth = 0
    for token in tokens[:idx] if tokens[idx].level else ():
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
    return depth > 0


def _note_ids(token: Token, env: EnvType) -> tuple[str, str]:
    """The ids of a footnote and of this mention of it, unique among the messages of a page."""
    prefix = f"-{env['message_id']}-" if env.get("message_id") else ""
    number = f"{prefix}{token.meta['id'] + 1}"
    repeat = token.meta.get("subId", 0)
    return f"fn{number}", f"fnref{number}" + (f":{repeat}" if repeat else "")
