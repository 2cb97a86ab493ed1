"""A message rendered block by block while it streams in, held against rendering it at once."""

import gzip
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.rendering import BlockStream, Update, blocks, render

SAMPLES = Path(__file__).parent.parent / "samples"
REPLIES = sorted(SAMPLES.glob("reply_*.md"))

# Lines that begin, end, continue or reinterpret blocks: what makes cutting a text into blocks hard.
LINES = r"""
a|- a|* b|+ c|1. x|2. y|3) z|  - n|    - nn|- [ ] t|-|1.|> q|>|> - l|> ```|> | a | b ||# h|#|===|---|***|- - -|~~~
| a | b ||\|---\|---\||\| 1 \| 2 \||a\|b|-\|-|```|```py|````|  ```|   ```|    code|   t|[a]|[a]: /u|[b]:|/url|'title'
'ti|tle'|[^1]|[^1]: note|[^1]: - x|$$|$$ x|x $$|$$x$$|\[|\]|\[ y \]|x \]|\(a\)|$a$|- ```|- $$|1. > q|- # h|- - n|-   w
word  |back\|**a|b**|`c|<div>|<!--|[x](|https://e.example)|![i](https://b.example/p)|10. ten|&amp;|é漢
"""
LINE = st.sampled_from([line for row in LINES.strip().split("\n") for line in row.split("|")])
INDENT = st.sampled_from(["", "", "", "", "  ", "    ", " ", "\t", "> ", "- "])
END = st.sampled_from(["\n", "\n", "\n\n", "\n", "\r\n", "\r", "\n \n", ""])
NASTY = st.lists(st.tuples(INDENT, LINE, END).map("".join), max_size=25).map("".join)
CHARACTERS = st.text(st.sampled_from("ab1 \n\n*_`~$[](){}\\<>|-+=#!:.^&\t\0\r\ud800\ufdd0é"), max_size=120)


def in_pieces(text: str, cuts: list[int]) -> Iterator[str]:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return (text[start:end] for start, end in pairwise(edges))


class Reader:
    """Does what a page does with updates."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.tail = ""

    def apply(self, update: Update) -> None:
        if update.reset:
            self.blocks = []
        assert update.first == len(self.blocks)
        self.blocks += update.blocks
        self.tail = update.tail

    @property
    def html(self) -> str:
        return "".join(self.blocks) + self.tail


def read(text: str, pieces: Iterator[str]) -> Reader:
    """Stream `text`, with one watcher from the start and one who joins at every step."""
    stream, reader = BlockStream(message_id="m"), Reader()
    for piece in pieces:
        stream.feed(piece)
        reader.apply(stream.update())
        late = Reader()
        late.apply(stream.snapshot())
        assert late.html == reader.html
    reader.apply(stream.finish())
    return reader


def rendered_afresh(text: str) -> str:
    """Not what the end of a stream has put into the cache."""
    blocks.RENDERED.clear()
    return render(text, message_id="m")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_the_blocks_of_a_stream_are_the_message_whatever_it_says_and_wherever_it_is_cut(data: Any) -> None:
    text = data.draw(st.one_of(NASTY, CHARACTERS))
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=40))
    reader = read(text, in_pieces(text, cuts))
    assert reader.html == rendered_afresh(text)


@given(st.sampled_from(REPLIES), st.lists(st.integers(0, 3_000), max_size=60))
@settings(max_examples=40, deadline=None)
def test_replies_of_every_kind_stream_to_what_they_are_at_once(path: Path, cuts: list[int]) -> None:
    text = path.read_text()
    assert read(text, in_pieces(text, cuts)).html == rendered_afresh(text)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_replies_stream_character_by_character(path: Path) -> None:
    text = path.read_text()
    assert read(text, iter(text)).html == rendered_afresh(text)


@pytest.mark.parametrize(
    "text",
    [
        "  - a\n\n- b\n",  # a list that starts off the margin goes on at it
        "$$\n#\n2)\n\n2)\n",  # a list inside of what looked like a formula
        "- a\n $$\n# h\nx $$\n",  # a formula that reaches over a heading
        "- a\n ~~~\n```\nx\n```\ny\n",  # a fence inside a fence that began inside of what looked like a list
        "```\na\n\nb\n\n~~~\nc\n````\nd",  # a fence with empty lines and other signs in it
        "a\n\n    b\n\n\n    c\n\nd",  # code by indentation goes on over empty lines
        "> a\n\n> b\nc\n===\n",  # quotes do not, but go on lazily
        "[a]\n\n[a]:\n/u\n'title\nmore'\n\nb",  # a definition of several lines
        "a[^x]\n\n[^x]: b\n\n    c\n\nd",  # a footnote goes on by indentation
        "- a\n\n\n  b\n\nc\n\n- d",  # an item of several paragraphs
        "| a |\n\n|---|\n",  # the head of a table that never comes
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_constructs_that_reach_far_are_not_cut(text: str, size: int) -> None:
    assert read(text, in_pieces(text, list(range(0, len(text), size)))).html == rendered_afresh(text)


def real_texts() -> list[str]:
    """Messages of real conversations, where a file of them is at hand (see bench/sample.py)."""
    path = Path(os.environ.get("SAMPLE_TREES", ""))
    if not path.is_file():
        pytest.skip("SAMPLE_TREES names no file of conversations")
    texts: list[str] = []
    with gzip.open(path, "rt") as lines:
        nodes = [json.loads(line) for line in lines]
    while nodes:
        node = nodes.pop()
        texts.append(node.get("text", ""))
        nodes += node.get("replies", [])
    return texts


def test_real_messages_stream_to_what_they_are_at_once() -> None:
    for text in real_texts():
        cuts = list(range(0, len(text), 37))
        assert read(text, in_pieces(text, cuts)).html == rendered_afresh(text)


def test_a_finished_block_is_sent_once() -> None:
    stream = BlockStream()
    stream.feed("# One\nTwo *three*\n\nFo")
    assert stream.update() == Update(0, ("<h1>One</h1>\n", "<p>Two <em>three</em></p>\n"), "<p>Fo</p>\n")
    stream.feed("ur")
    assert stream.update() == Update(2, (), "<p>Four</p>\n")
    assert stream.finish() == Update(2, ("<p>Four</p>\n",), "")
    assert stream.finish() == Update(3, (), "")


def test_a_fence_is_finished_with_its_last_line() -> None:
    stream = BlockStream()
    stream.feed("```python\npass\n")
    open_fence = stream.update()
    assert open_fence.blocks == ()
    assert "<code>pass\n</code>" in open_fence.tail
    assert "data-copy" in open_fence.tail
    stream.feed("```\n")
    assert '<span class="hl-k">pass' in "".join(stream.update().blocks)


def test_a_link_definition_that_comes_late_makes_the_page_start_over() -> None:
    stream, reader = BlockStream(), Reader()
    for piece in ("See [it].\n\nMore.\n\n", "[it]: https://example.com\n\n", "End.\n\nAnd."):
        stream.feed(piece)
        reader.apply(stream.update())
    assert "[it]" in reader.html
    last = stream.finish()
    assert last.reset
    assert last.first == 0
    reader.apply(last)
    assert 'href="https://example.com"' in reader.html


def test_a_link_definition_that_comes_first_needs_no_new_start() -> None:
    stream, reader = BlockStream(), Reader()
    stream.feed("[it]: https://example.com\n\nSee [it].\n\nEnd.")
    reader.apply(stream.update())
    assert 'href="https://example.com"' in reader.html
    assert not stream.finish().reset


def test_a_message_that_nests_deeper_than_the_parser_reads_loses_nothing() -> None:
    text = "".join("  " * depth + f"- item {depth}\n" for depth in range(40)) + "\nand the end"
    reader = read(text, in_pieces(text, list(range(0, len(text), 50))))
    assert "item 39" in reader.html
    assert "and the end" in reader.html
    assert reader.html == rendered_afresh(text)
