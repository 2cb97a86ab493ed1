"""What a message looks like as HTML: prose, code, tables, tasks, links, pictures, footnotes."""

import pytest
from django.utils import translation

from conversations.rendering import code, render
from conversations.rendering.blocks import RENDERED
from conversations.rendering.cache import RenderedTexts

BUTTONS = (
    '<button type="button" data-wrap aria-pressed="false">Wrap</button>'
    '<button type="button" data-copy>Copy</button>'
)


def test_prose_becomes_paragraphs_and_emphasis() -> None:
    assert render("a *b* **c** ~~d~~ `e`\n\nf") == (
        "<p>a <em>b</em> <strong>c</strong> <s>d</s> <code>e</code></p>\n<p>f</p>\n"
    )


def test_html_is_shown_as_it_is_written() -> None:
    assert render("<b>x</b> <!-- y -->") == "<p>&lt;b&gt;x&lt;/b&gt; &lt;!-- y --&gt;</p>\n"


def test_a_code_block_has_its_language_its_buttons_and_classes_for_colours() -> None:
    html = render("```python\ndef f():\n    return 1\n```")
    assert html.startswith(f'<figure class="code"><figcaption><span>python</span>{BUTTONS}</figcaption><pre')
    assert '<span class="hl-nf">f</span>' in html
    assert html.endswith("</code></pre></figure>\n")


def test_a_code_block_of_an_unknown_language_is_only_escaped() -> None:
    assert '<pre tabindex="0"><code>a &lt; b\n</code></pre>' in render("```klingon\na < b\n```")


def test_code_that_would_take_long_to_highlight_is_shown_plain() -> None:
    words = "word\n" * 2_000
    assert f"<code>{words}</code>" in render(f"```csharp\n{words}```")


def test_code_that_took_long_to_highlight_is_shown_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_SECONDS", -1)
    code.highlight.cache_clear()
    assert code.highlight("pass", "python") == "pass"
    code.highlight.cache_clear()


def test_the_language_is_read_from_common_ways_to_write_it() -> None:
    for info in ("python", "{.python}", 'python title="x.py"', "language-python", "python{1,3}"):
        assert "<span>python</span>" in render(f"```{info}\npass\n```")


def test_labels_are_in_the_language_of_the_reader_and_cached_apart() -> None:
    english = render("```\nx\n```")
    with translation.override("de"):
        assert render("```\nx\n```") == english or "Kopieren" in render("```\nx\n```")
    assert render("```\nx\n```") == english


def test_a_table_scrolls_in_its_own_box_and_aligns_by_classes() -> None:
    html = render("| a | b | c |\n|:--|:-:|--:|\n| 1 | 2 | 3 |")
    assert html.startswith('<div class="table-scroll" role="group" aria-label="Table" tabindex="0"><table>')
    assert (
        '<td class="align-left">1</td>\n<td class="align-center">2</td>\n<td class="align-right">3</td>'
        in html
    )
    assert "style" not in html


def test_a_very_wide_table_is_text() -> None:
    assert "<table" not in render("|a" * 200 + "|\n" + "|-" * 200 + "|\n|1|")


def test_tasks_are_boxes_nobody_can_tick() -> None:
    html = render("- [x] one\n- [ ] two")
    assert '<ul class="tasks">' in html
    assert (
        '<li class="task"><input type="checkbox" disabled="" checked="" aria-label="Done"> one</li>' in html
    )
    assert '<li class="task"><input type="checkbox" disabled="" aria-label="To do"> two</li>' in html


def test_a_link_names_the_host_it_leads_to() -> None:
    assert render("[docs](https://example.com/a)") == (
        '<p><a href="https://example.com/a" target="_blank" rel="noopener nofollow">docs '
        '<span class="host">example.com</span></a></p>\n'
    )


def test_a_link_whose_text_is_its_address_does_not_repeat_the_host() -> None:
    for text in ("<https://example.com/a>", "[example.com](https://www.example.com)", "https://example.com"):
        assert 'class="host"' not in render(text)


def test_a_link_that_shows_another_host_than_its_own_is_given_away() -> None:
    assert '<span class="host">evil.example</span>' in render("[https://bank.example](https://evil.example)")
    assert '<span class="host">evil.example</span>' in render(
        "[evil.example.bank.example](https://evil.example)"
    )


def test_a_bare_address_is_a_link_without_the_punctuation_behind_it() -> None:
    assert ">https://example.com/a_(b)</a>, and" in render("See https://example.com/a_(b), and more")
    assert ">https://example.com</a>)." in render("(at https://example.com).")
    assert "<a" not in render("xhttps://example.com and ://example.com")


def test_a_bare_address_as_the_text_of_a_link_ends_with_the_text() -> None:
    assert '<a href="https://example.com/b"' in render("[https://example.com/a](https://example.com/b)")


def test_a_path_of_this_site_is_a_link_without_a_host() -> None:
    assert render("[c](/c/1)") == '<p><a href="/c/1" target="_blank" rel="noopener nofollow">c</a></p>\n'


def test_a_picture_is_a_link_that_says_where_it_comes_from() -> None:
    html = render("![A cat](https://img.example/cat.png)")
    assert "<img" not in html
    assert '<a class="image" href="https://img.example/cat.png"' in html
    assert 'Open image: A cat <span class="host">img.example</span></a>' in html


def test_a_picture_inside_a_link_does_not_make_a_link_inside_a_link() -> None:
    html = render("[![badge](https://a.example/b.svg)](https://b.example)")
    assert html.count("<a ") == 1
    assert ">badge <span" in html


def test_footnotes_of_two_messages_have_different_ids() -> None:
    text = "a[^1] b[^1]\n\n[^1]: The note."
    one, two = render(text, message_id="m1"), render(text, message_id="m2")
    assert '<sup class="footnote-ref"><a href="#fn-m1-1" id="fnref-m1-1"' in one
    assert '<li id="fn-m1-1">' in one
    assert 'href="#fnref-m1-1:1"' in one
    assert one.replace("m1", "m2") == two


def test_what_was_rendered_once_comes_from_the_cache() -> None:
    text = "cached *text*"
    RENDERED.clear()
    assert render(text) is render(text)


def test_the_cache_lets_go_of_what_was_used_least_recently() -> None:
    cache = RenderedTexts(max_characters=20)
    one, two, three = (cache.key(name) for name in ("one", "two", "three"))
    cache.put(one, "x" * 8)
    cache.put(two, "y" * 8)
    assert cache.get(one)
    cache.put(three, "z" * 8)
    assert cache.get(two) is None
    assert cache.get(one) == "x" * 8
    assert cache.get(three) == "z" * 8


def test_the_parts_of_a_cache_key_do_not_run_together() -> None:
    assert RenderedTexts.key("ab", "c") != RenderedTexts.key("a", "bc")
