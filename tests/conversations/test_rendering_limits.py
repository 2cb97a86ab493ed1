"""Texts that are too much: nothing raises, nothing is lost, and what comes out stays in proportion to what went in."""

import pytest

from conversations.rendering import BlockStream, blocks, render

N = 100_000

EXTREMES = {
    "empty": "",
    "nothing printable": "\0" * 1_000 + "\ud800" * 1_000,
    "one long line": "a" * 1_000_000,
    "words": "word " * 60_000,
    "open brackets": "[" * N,
    "brackets": "[" * N + "]" * N,
    "pictures": "![" * N,
    "links": "[a](" * 25_000,
    "dollars": "$" * N,
    "openers of formulas": "\\(" * N,
    "lines that open formulas": "$$ a\n" * 5_000,
    "stars": "*a " * 30_000,
    "words and stars": "words and words " * 10 + "*" * 5_000 + " and words",
    "underscores": "_a" * 50_000,
    "backticks": "".join("`" * count + " " for count in range(440)),
    "quotes": "> " * N,
    "quotes and lazy lines": ">" * 500 + "a\n" + "b\n" * 2_000,
    "lists": "- " * N,
    "deep lists": "".join("  " * depth + "- a\n" for depth in range(200)),
    "fractions": "$$" + r"\frac{1}{" * 400 + "x" + "}" * 400 + "$$",
    "scripts": "$x" + "^{x" * 400 + "}" * 400 + "$",
    "roots": "$" + r"\sqrt" * 2_000 + "$",
    "a wide table": "|a" * 3_000 + "|\n" + "|-" * 3_000 + "|\n" + "|1\n" * 1_000,
    "fences": "```\n" * 1_000,
    "a long fence": "```csharp\n" + "a\n" * 20_000,
    "footnotes": "[^1]" * 2_000 + "\n\n[^1]: x",
    "footnotes of footnotes": "".join(f"[^{number}]: x[^{number + 1}]\n\n" for number in range(500)),
    "definitions": "".join(f"[a{number}]: /x\n" for number in range(2_000)),
    "spaces that decide nothing": "a\n" + " " * N + "x",
    "money that is none": "$1 " + "a" * N + "=$",
    "a long word of code": "```csharp\n" + "a" * 19_000,
    "ampersands": "&" * N,
    "angles": "<" * N,
    "backslashes": "\\" * N,
    "addresses": "https://" * 10_000,
    "empty lines": "\n" * N,
    "tabs": "\t" * N,
}


@pytest.mark.parametrize("text", EXTREMES.values(), ids=EXTREMES)
def test_an_extreme_text_is_rendered_and_streamed_in_proportion(text: str) -> None:
    blocks.RENDERED.clear()
    once = render(text)
    assert len(once) < 2_000 + 70 * len(text)
    stream, shown = BlockStream(), ""
    step = max(1, len(text) // 6)
    for start in range(0, len(text), step):
        stream.feed(text[start : start + step])
        update = stream.update()
        shown += "".join(update.blocks)
        assert len(update.tail) < 2_000 + 70 * len(text)
    last = stream.finish()
    assert ("" if last.reset else shown) + "".join(last.blocks) == once


def test_what_no_page_can_carry_becomes_a_replacement_character() -> None:
    assert render("a\0b\ud800c\ufdd0d") == "<p>a\ufffdb\ufffdc\ufffdd</p>\n"


def test_every_kind_of_line_end_is_one() -> None:
    assert render("a\r\nb\rc\n\r\nd") == "<p>a\nb\nc</p>\n<p>d</p>\n"


def test_text_beyond_what_is_read_as_markdown_is_shown_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blocks, "MAX_MARKDOWN", 20)
    blocks.RENDERED.clear()
    text = "a *b*\n\n" * 4
    expected = "<p>a <em>b</em></p>\n" * 3 + '<pre tabindex="0">\na *b*\n\n</pre>\n'
    assert render(text).replace("&", "") == expected
    stream = BlockStream()
    for character in text:
        stream.feed(character)
    assert "".join(stream.finish().blocks) == expected
    blocks.RENDERED.clear()


def test_a_paragraph_that_is_too_long_is_shown_as_it_is_written() -> None:
    assert "<em>" in render("*a* " * 4_000)
    assert "<em>" not in render("*a* " * 6_000)


def test_quotes_below_the_deepest_level_are_text() -> None:
    html = render("> " * 20 + "deep")
    assert html.count("<blockquote>") == 8
    assert "&gt; deep" in html
