"""The open end of a stream: a preview that does not flicker. What it must be for sure, safe, is tested elsewhere."""

import pytest

from bench.b14_rendering import ANSWER, tokens_of
from conversations.rendering import BlockStream, render


def tail(text: str) -> str:
    stream = BlockStream()
    shown = ""
    for character in text:
        stream.feed(character)
        shown = stream.update().tail
    return shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("this is **bold te", "this is <strong>bold te</strong>"),
        ("this is **bold text*", "this is <strong>bold text</strong>"),
        ("this is **", "this is "),
        ("some *slanted te", "some <em>slanted te</em>"),
        ("two * three", "two * three"),
        ("snake_case and _under sc", "snake_case and <em>under sc</em>"),
        ("call `run(*args", "call <code>run(*args</code>"),
        ("gone ~~away fr", "gone <s>away fr</s>"),
        ("so $x^2 + y", "so <code>$x^2 + y</code>"),
        ("it costs $5 and th", "it costs $5 and th"),
        ("see [the docs](https://exam", "see the docs"),
        ("see [the docs", "see [the docs"),
        ("mixed **bold and `co", "mixed <strong>bold and <code>co</code></strong>"),
    ],
)
def test_marks_that_are_open_are_drawn_as_they_will_probably_be(text: str, shown: str) -> None:
    assert tail(text) == f"<p>{shown}</p>\n"


def test_a_long_run_of_marks_does_not_end_the_preview() -> None:
    stream = BlockStream()
    for piece in (
        "some words that",
        " go on *for* a while, long enough to be put away ",
        "*" * 90,
        " and go on",
    ):
        stream.feed(piece)
        assert stream.update().tail.startswith("<p>some words that")


def test_a_formula_that_is_open_is_shown_as_its_source() -> None:
    assert tail("$$\n\\frac{1}{2") == (
        '<div class="math-block"><code class="math-source">\\frac{1}{2</code></div>\n'
    )


def test_the_underline_of_a_heading_or_a_list_is_not_shown_before_it_is_known_which() -> None:
    assert tail("A paragraph\n-") == "<p>A paragraph</p>\n"
    assert tail("- one\n- two\n- **") == "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"


def test_a_list_keeps_its_numbers_and_becomes_loose_as_a_whole() -> None:
    assert tail("3. one item\n4. two it") == '<ol start="3">\n<li>one item</li>\n<li>two it</li>\n</ol>\n'
    loose = tail("3. one item\n\n4. two it")
    assert loose.replace("\n", "") == '<ol start="3"><li><p>one item</p></li><li><p>two it</p></li></ol>'


def test_a_list_becomes_loose_also_when_it_comes_in_large_pieces() -> None:
    stream = BlockStream()
    for piece in ("- one\n- two\n- three", "\n\n- four, which is ", "longer"):
        stream.feed(piece)
        shown = stream.update().tail
    assert shown.count("<p>") == 4


def test_rows_of_a_table_are_put_into_its_columns() -> None:
    shown = tail("| a | b |\n|---|--:|\n| **one** | two |\n| three | fo")
    assert '<td><strong>one</strong></td>\n<td class="align-right">two</td>' in shown
    assert '<td>three</td>\n<td class="align-right">fo</td>' in shown
    assert shown.endswith("</tbody>\n</table></div>\n")


def test_a_fence_inside_an_item_stays_inside_it() -> None:
    shown = tail("1. step\n\n   ```sh\n   ls -l\n   pwd")
    assert shown.startswith("<ol>")
    assert "<code>ls -l\npwd</code></pre></figure>\n</li>\n</ol>" in shown


def test_an_ordinary_answer_looks_at_nearly_every_step_as_if_it_ended_there() -> None:
    stream, shown, read = BlockStream(), "", ""
    tokens = tokens_of(ANSWER)
    same = steps = 0
    for start in range(0, len(tokens), 6):
        piece = "".join(tokens[start : start + 6])
        stream.feed(piece)
        update = stream.update()
        shown, read = shown + "".join(update.blocks), read + piece
        steps += 1
        same += words(shown + update.tail) == words(render(read))
    assert same / steps > 0.75  # the others are marks that are still open


def words(html: str) -> str:
    """What a reader sees of it, without the colours of code that a preview leaves out."""
    plain = html.replace("</span>", "")
    while '<span class="hl-' in plain:
        before, _, rest = plain.partition('<span class="hl-')
        plain = before + rest.partition(">")[2]
    return "".join(plain.split())
