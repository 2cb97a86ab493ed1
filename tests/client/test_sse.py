"""The parser of server-sent events, held against the rules of the HTML standard."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore_client import UnexpectedAnswer, sse
from chatcore_client.sse import Parser, ServerSentEvent


def parsed(*chunks: bytes) -> list[ServerSentEvent]:
    parser = Parser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


STREAM = (
    "\ufeff: hello\r\nretry: 1500\r\n\r\nevent: first\rid: 1\rdata: grüße 🙂\r\r"
    "data:two\ndata: lines\n\r\nid: 2\n\nid\ndata\n\ndata: never ended"
).encode()
EVENTS = [
    ServerSentEvent("first", "grüße 🙂", "1"),
    ServerSentEvent("message", "two\nlines", "1"),
    ServerSentEvent("message", "", ""),
]


def test_every_kind_of_line_end_field_and_comment() -> None:
    assert parsed(STREAM) == EVENTS


def test_a_byte_at_a_time() -> None:
    assert parsed(*(STREAM[n : n + 1] for n in range(len(STREAM)))) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_chunks_may_end_anywhere(ends: list[int]) -> None:
    places = [0, *sorted(ends), len(STREAM)]
    assert parsed(*(STREAM[a:b] for a, b in pairwise(places))) == EVENTS


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_whatever_is_written_in_data_is_read(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    written = "".join(f"data: {line}\n" for line in lines) + "\n"
    assert [event.data for event in parsed(written.encode())] == ["\n".join(lines)]


def test_the_time_to_come_back_is_seconds() -> None:
    parser = Parser()
    assert list(parser.feed(b"retry: 1500\nretry: soon\nretry: \xc2\xb2\n\n")) == []
    assert parser.base == 1.5


def test_an_id_with_a_null_is_none() -> None:
    assert parsed(b"id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n")[-1].id == "7"


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert parsed(b"data: \xff\xfe!\n\n")[0].data == "\ufffd\ufffd!"


def test_an_event_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_CHARACTERS", 1000)
    parser = Parser()
    assert list(parser.feed(b"data: " + b"x" * 900)) == []
    with pytest.raises(UnexpectedAnswer):
        list(parser.feed(b"x" * 100))
