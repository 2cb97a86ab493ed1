from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.llm.errors import ProviderError
from chatcore.llm.sse import MAX_LINE, LineReader, payloads

FIRST = '{"a": "Grüße 今天 🙂"}'.encode()
STREAM = b"data: " + FIRST + b'\n\n: comment\r\n\r\ndata:{"b": 1}\r\n\r\nevent: x\nid: 7\ndata: [DONE]\n\n'
VALUES = [FIRST, b'{"b": 1}', b"[DONE]"]


def read(pieces: list[bytes]) -> list[bytes]:
    reader = LineReader()
    return [value for piece in pieces for value in payloads(reader.feed(piece)) if value]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, len(STREAM))))
def test_data_is_the_same_wherever_the_stream_is_cut(places: list[int]) -> None:
    assert read(cut(STREAM, places)) == VALUES


def test_data_is_the_same_byte_by_byte() -> None:
    assert read([STREAM[at : at + 1] for at in range(len(STREAM))]) == VALUES


def test_a_blank_line_is_an_empty_value() -> None:
    assert list(payloads([b"data: 1", b"", b"data: 2", b"\r"])) == [b"1", b"", b"2", b""]


def test_the_last_line_may_lack_its_end() -> None:
    reader = LineReader()
    assert reader.feed(b"data: 1\ndata: [DO") == [b"data: 1"]
    reader.feed(b"NE]")
    assert reader.rest() == b"data: [DONE]"


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_is_garbage_with_or_without_its_end(end: bytes) -> None:
    reader = LineReader()
    reader.feed(b"x" * MAX_LINE)
    with pytest.raises(ProviderError, match="garbage"):
        reader.feed(b"x" + end)


def test_many_short_lines_at_once_are_no_long_line() -> None:
    lines = LineReader().feed(b"data: 1\n" * MAX_LINE)
    assert len(lines) == MAX_LINE
