"""The inside of the paragraph that is being written: read anew with every update, but only where it is unsettled."""

from html import escape

from markdown_it.token import Token

from conversations.rendering import sanitise
from conversations.rendering.completion import MARKS, completed
from conversations.rendering.markdown import Environment, inline_tokens, text_html

MIN_SETTLED = 60  # characters worth being put away
OVERLAP = len("https")  # a mark may be half in what was read before
MAX_UNSETTLED = 1_500  # characters; more are put away as they are written: only this preview can suffer


class LiveText:
    """Text of one paragraph, heading or cell that only ever grows."""

    def __init__(self) -> None:
        self._settled = ""
        self._settled_html = ""
        self._plain = ""  # read before, and ending in text to which more can simply be added
        self._plain_html = ""

    def html(self, text: str, env: Environment) -> str:
        """Safe HTML of `text`, with what is open at its end closed as it will probably be."""
        read = len(self._plain)
        if not MARKS.search(text, max(0, read - OVERLAP)) and text.startswith(self._plain):
            self._plain, self._plain_html = text, self._plain_html + escape(text[read:], quote=False)
            return self._plain_html
        if not text.startswith(self._settled):
            self._settled = self._settled_html = ""
        unsettled = text[len(self._settled) :]
        whole = completed(unsettled)
        tokens = inline_tokens(whole, env)
        html = self._settled_html + inline_html(tokens, env)
        if whole == unsettled and tokens and tokens[-1].type == "text" and not tokens[-1].level:
            self._plain, self._plain_html = text, html
        if tokens and len(unsettled) >= MIN_SETTLED:
            self._settle(unsettled, tokens, env, is_whole=whole == unsettled)
        return html

    def _settle(self, unsettled: str, tokens: list[Token], env: Environment, *, is_whole: bool) -> None:
        """Put away what later text will not change: up to the last space, if no mark stands without its partner."""
        last = tokens[-1]
        kept, space, rest = last.content.rpartition(" ")
        is_sure = is_whole and last.type == "text" and not last.level and space and unsettled.endswith(rest)
        if is_sure and not any(_is_undecided(token) for token in tokens):
            head = [*tokens[:-1], Token("text", "", 0, content=kept + space)]
            self._put_away(unsettled[: len(unsettled) - len(rest)], inline_html(head, env))
        elif len(unsettled) > MAX_UNSETTLED:
            self._put_away(unsettled, escape(unsettled, quote=False))

    def _put_away(self, text: str, html: str) -> None:
        self._settled += text
        self._settled_html += html


def _is_undecided(token: Token) -> bool:
    return token.type == "text" and MARKS.search(token.content) is not None


def inline_html(tokens: list[Token], env: Environment) -> str:
    if len(tokens) == 1 and tokens[0].type == "text":
        return escape(tokens[0].content, quote=False)
    return sanitise.clean(text_html(tokens, env))
