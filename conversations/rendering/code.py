"""Code blocks: their frame, their language, and highlighting by Pygments with class names instead of colours."""

import re
from functools import cache, lru_cache
from html import escape
from time import thread_time

from django.utils.translation import get_language, gettext
from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_by_name
from pygments.token import Token, _TokenType

# Some lexers of Pygments take quadratic or cubic time over hostile text (C# over a plain column of words). Code that
# is long, looks like that, or has cost this much processor time is shown plain.
MAX_HIGHLIGHTED = 20_000  # characters
MAX_SECONDS = 0.25
COSTLY = re.compile(r"(?:\n[ \t]*){12}|[ \t]{120}|(?:\b\w+\s+){60}")
MAX_LANGUAGE = 32  # characters shown

# Only what models write: Pygments knows 500 more, each a set of regular expressions run over hostile text.
NAMES = """
apacheconf awk bash bat c c# c++ clojure cmake console cpp cs csharp css cuda cypher d dart diff docker dockerfile
elixir elm erlang f# fortran fsharp gherkin glsl go golang graphql groovy handlebars haskell hcl html http ini java
javascript jinja js json json5 jsonc jsx julia kotlin latex lean less lisp lua make makefile markdown matlab md nasm
nginx nim nix objective-c objectivec ocaml pascal patch perl php postgresql powershell prolog properties proto
protobuf ps1 py pycon python python3 r racket rb rs rst ruby rust sass scala scheme scss sh shell solidity sparql
sql svelte svg swift systemverilog terraform tex tf toml ts tsx typescript vb vbnet verilog vhdl vim vue wasm xml
yaml yml zig zsh
"""
LANGUAGES = frozenset(NAMES.split())
ALIASES = {"jsonc": "json", "patch": "diff", "svelte": "html", "svg": "xml", "vb": "vbnet", "wasm": "wast"}

# Pygments' own short names, the few worth a colour each. Everything else stays plain text: less to send and draw.
SHORT_NAMES: dict[_TokenType, str] = {
    Token.Comment: "c",
    Token.Comment.Preproc: "cp",
    Token.Keyword: "k",
    Token.Keyword.Constant: "kc",
    Token.Keyword.Type: "kt",
    Token.Literal.Number: "m",
    Token.Literal.String: "s",
    Token.Literal.String.Escape: "se",
    Token.Literal.String.Interpol: "si",
    Token.Name.Attribute: "na",
    Token.Name.Builtin: "nb",
    Token.Name.Class: "nc",
    Token.Name.Constant: "no",
    Token.Name.Decorator: "nd",
    Token.Name.Exception: "ne",
    Token.Name.Function: "nf",
    Token.Name.Namespace: "nn",
    Token.Name.Tag: "nt",
    Token.Name.Variable: "nv",
    Token.Operator.Word: "ow",
    Token.Generic.Deleted: "gd",
    Token.Generic.Heading: "gh",
    Token.Generic.Inserted: "gi",
    Token.Generic.Output: "go",
    Token.Generic.Prompt: "gp",
    Token.Generic.Subheading: "gu",
}
CLASSES = frozenset(f"hl-{name}" for name in SHORT_NAMES.values())


def figure(source: str, language: str) -> str:
    """The frame of a code block, highlighted. Its buttons are not part of it: see `with_buttons`."""
    return _opening(language) + highlight(source, language) + CLOSING


def plain_figure(source: str, language: str) -> str:
    """The same while the code goes on: highlighting it anew each time would cost more than all the rest."""
    return _opening(language) + escape(source, quote=False) + CLOSING


def _opening(language: str) -> str:
    label = escape(language[:MAX_LANGUAGE]) or escape(gettext("Code"))
    return f'<figure class="code"><figcaption><span>{label}</span></figcaption><pre tabindex="0"><code>'


CLOSING = "</code></pre></figure>\n"


def with_buttons(html: str) -> str:
    """Sanitised HTML with the buttons of its code blocks. Markup of a message never gets here unescaped, so every
    `</figcaption>` is ours."""
    if "</figcaption>" not in html:
        return html
    return html.replace("</figcaption>", f"{_buttons(get_language())}</figcaption>")


@cache
def _buttons(_language: str | None) -> str:
    wrap, copy = escape(gettext("Wrap")), escape(gettext("Copy"))
    return (
        f'<button type="button" data-wrap aria-pressed="false">{wrap}</button>'
        f'<button type="button" data-copy>{copy}</button>'
    )


def language_of(info: str) -> str:
    """The language a fence's info string names: ```` ```python title="x" ```` and ```` ```{.python} ```` → python."""
    words = re.split(r"[\s,{}]+", info.strip().lstrip("{."), maxsplit=1)
    return words[0].removeprefix("language-")


@lru_cache(maxsize=64)
def highlight(source: str, language: str) -> str:
    """Escaped HTML of `source`, with `<span class="hl-…">` around what its language gives a meaning to."""
    lexer = _lexer(language.lower())
    if lexer is None or len(source) > MAX_HIGHLIGHTED or COSTLY.search(source):
        return escape(source, quote=False)
    pieces: list[str] = []
    current, text = "", ""
    deadline = thread_time() + MAX_SECONDS
    for kind, value in lexer.get_tokens(source):
        if thread_time() > deadline:
            return escape(source, quote=False)
        name = _class(kind) if not value.isspace() else current
        if name != current and text:
            pieces.append(_span(current, text))
            text = ""
        current, text = name, text + value
    pieces.append(_span(current, text))
    return "".join(pieces)


def _span(name: str, text: str) -> str:
    shown = escape(text, quote=False)
    return f'<span class="{name}">{shown}</span>' if name else shown


@cache
def _class(kind: _TokenType) -> str:
    while kind not in SHORT_NAMES:
        if kind.parent is None:
            return ""
        kind = kind.parent
    return f"hl-{SHORT_NAMES[kind]}"


def _lexer(language: str) -> Lexer | None:
    """A lexer of its own for every call: some keep state while they run, and messages are rendered in threads."""
    if language not in LANGUAGES:
        return None
    return _lexer_class(ALIASES.get(language, language))(stripnl=False, ensurenl=False)


@cache
def _lexer_class(language: str) -> type[Lexer]:
    return find_lexer_class_by_name(language)
