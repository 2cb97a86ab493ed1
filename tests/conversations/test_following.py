"""How the pieces of a running reply are put together, whatever order they come in."""

from hypothesis import given
from hypothesis import strategies as st

from conversations.assembly import Assembly

TEXT = "The quick brown fox jumps over the lazy dog. "


@given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, len(TEXT))), max_size=20), st.randoms())
def test_overlapping_pieces_in_any_order_come_out_once_and_whole(
    cuts: list[tuple[int, int]], random: object
) -> None:
    pieces = [(min(cut), TEXT[min(cut) : max(cut)]) for cut in cuts] + [(0, TEXT[:10]), (10, TEXT[10:])]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    grown: list[tuple[int, str]] = []
    assembly = Assembly(1, lambda offset, text: grown.append((offset, text)))

    for offset, text in pieces:
        assembly.add(offset, text)

    assert assembly.text == TEXT
    assert not assembly.has_hole
    assert "".join(text for _, text in grown) == TEXT
    assert [offset for offset, _ in grown] == [
        sum(len(text) for _, text in grown[:n]) for n in range(len(grown))
    ]


def test_a_piece_behind_a_hole_waits_for_the_saved_text() -> None:
    grown: list[str] = []
    assembly = Assembly(1, lambda _, text: grown.append(text))
    assembly.add(4, "quick")
    assert assembly.has_hole
    assert not grown
    assembly.add(0, "The q")
    assert grown == ["The q", "uick"]
    assert not assembly.has_hole
