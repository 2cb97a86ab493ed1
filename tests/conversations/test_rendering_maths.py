"""Formulas: where they stand in the text, and the MathML they become."""

import pytest

from conversations.rendering import mathml, render
from conversations.rendering.letters import restyled


def typeset(latex: str) -> str:
    drawn = mathml.typeset(latex, display=True)
    assert drawn, f"{latex} was not typeset"
    return drawn


def test_a_formula_in_a_line_and_one_on_its_own() -> None:
    assert '<math alttext="x^2">' in render("so $x^2$ and")
    assert '<math alttext="x^2">' in render(r"so \(x^2\) and")
    for text in ("$$\nx^2\n$$", "$$x^2$$", "\\[\nx^2\n\\]", r"\[ x^2 \]", "text\n$$\nx^2\n$$\nmore"):
        html = render(text)
        assert '<div class="math-block" tabindex="0"><math alttext="x^2" display="block">' in html


def test_a_displayed_formula_inside_a_sentence_stays_in_its_paragraph() -> None:
    assert render("so $$x$$ and").startswith('<p>so <math alttext="x" display="block">')


def test_punctuation_behind_a_displayed_formula_belongs_to_it() -> None:
    assert 'alttext="x.' in render("$$x$$.")


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "US$5, A$6 or NZ$7",
        "from $20-$30 a month ($15 in June)",
        "between $5 and 10$ or so",
        "a $ b $ c",
        "a$b$ c",
        r"not \$x\$ either",
        "`$x$` and `\\(x\\)`",
        "$$ not closed",
        "$$\nnot closed\n\nhere$$",
        "$",
        "$$",
        r"a link \[a\](b) in brackets",
    ],
)
def test_money_and_other_dollars_are_no_formulas(text: str) -> None:
    assert "<math" not in render(text)


def test_what_cannot_be_typeset_is_shown_as_its_source() -> None:
    for latex in (
        r"\frac{1",
        r"\begin{matrix} a",
        r"x_1_2",
        r"\left( x",
        "{" * 100 + "}" * 100,
        r"\sqrt" * 60 + "x",
    ):
        assert f'<code class="math-source">{latex}</code>' in render(f"${latex}$")


def test_macros_are_not_expanded() -> None:
    latex = r"\newcommand{\a}{\b\b}\newcommand{\b}{\a\a}\a"
    assert mathml.typeset(latex, display=True) is None


def test_environments_the_converter_does_not_know_are_rewritten() -> None:
    aligned = typeset(r"\begin{aligned} a &= b \\ &= c \end{aligned}")
    assert '<mtd class="right"><mi>a</mi></mtd><mtd class="left">' in aligned
    assert "(1)" not in typeset(r"\begin{align} a &= b \\ c &= d \end{align}")
    assert "<mtable>" in typeset(r"a \\ b")


def test_brackets_grow_round_a_matrix_and_not_elsewhere() -> None:
    matrix = typeset(r"\begin{vmatrix} a \end{vmatrix}")
    assert '<mo stretchy="true" form="prefix">|</mo><mtable>' in matrix
    assert matrix.count('stretchy="true"') == 2
    assert 'stretchy="true"' not in typeset(r"a \pmod{n}")
    assert 'stretchy="true"' in typeset(r"\left( \frac{a}{b} \right)")


def test_limits_stand_below_their_operator() -> None:
    for latex in (r"\lim_{x \to 0} x", r"\bigcup_{i} A_i", r"\max_x f"):
        assert '<munder><mo movablelimits="true">' in typeset(latex)


def test_letters_come_from_the_mathematical_alphabets() -> None:
    assert "𝐱" in typeset(r"\mathbf{xy}")
    assert "mathvariant" not in typeset(r"\mathbb{RP}")
    assert restyled("ABh1é", "double-struck") == "𝔸𝔹𝕙𝟙é"
    assert restyled("h", "italic") == "ℎ"
    assert restyled("αΩ", "bold") == "𝛂𝛀"


def test_functions_have_room_before_their_argument() -> None:
    assert '<mi>sin</mi><mspace width="0.167em"></mspace><mi>x</mi>' in typeset(r"\sin x")
    assert "<mspace" not in typeset(r"\sin(x)")


def test_a_minus_without_a_left_side_is_a_sign() -> None:
    assert '<mo form="prefix">−</mo><mi>x</mi>' in typeset("= -x")
    assert "<mo>−</mo>" in typeset("a - x")


def test_primes_are_not_raised_twice() -> None:
    assert '<mrow><mi>f</mi><mo lspace="0" rspace="0">′</mo></mrow>' in typeset("f'(x)")


def test_a_frame_and_a_strike_are_drawn_by_the_style_sheet() -> None:
    assert '<mrow class="boxed">' in typeset(r"\boxed{x}")
    assert '<mrow class="struck">' in typeset(r"\cancel{x}")


def test_a_ruled_array_has_its_lines() -> None:
    array = typeset(r"\begin{array}{c|c} a & b \\ \hline c & d \end{array}")
    assert array.count("rule-end") == 2
    assert array.count("rule-below") == 2


def test_spaces_that_would_leave_the_message_are_dropped() -> None:
    assert 'width="1em"' in typeset(r"a \hspace{1em} b")
    for latex in (r"a \hspace{-100em} b", r"\rule{900pt}{900pt}", r"a \hspace{50cm} b"):
        assert "width=" not in typeset(latex)
