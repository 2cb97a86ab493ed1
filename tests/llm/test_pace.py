"""How often models are read and heard of: at the ticks of one clock, which is slower the more of them speak."""

from collections.abc import Iterator

import pytest

from chatcore.llm import pace
from chatcore.llm.chat_chunks import joined
from chatcore.llm.errors import ProviderError
from chatcore.llm.types import Finished, ModelEvent, ReasoningDelta, TextDelta


class Stream:
    """Something that grows."""


@pytest.mark.parametrize(("streams", "milliseconds"), [(1, 40), (49, 40), (50, 80), (199, 160), (2_000, 200)])
def test_the_clock_is_slower_the_more_streams_grow(streams: int, milliseconds: int) -> None:
    growing = [Stream() for _ in range(streams)]
    for stream in growing:
        pace.join(stream)
    try:
        tick = pace.next_tick(12.345)
        assert round(pace.next_tick(tick) - tick, 3) == milliseconds / 1000
        assert tick > 12.345
        assert round(tick * 1000) % milliseconds == 0, "all streams hear the same ticks"
    finally:
        for stream in growing:
            pace.leave(stream)


def test_who_is_forgotten_slows_nobody_down() -> None:
    for _ in range(pace.STREAMS_AT_ONCE):
        pace.join(Stream())
    assert round(pace.next_tick(0.04) - 0.04, 3) == 0.04


def test_pieces_that_came_together_are_one() -> None:
    said = [ReasoningDelta("H"), ReasoningDelta("m"), TextDelta("Hel"), TextDelta("lo"), Finished("stop")]
    assert list(joined(said)) == [ReasoningDelta("Hm"), TextDelta("Hello"), Finished("stop")]


def test_what_came_before_a_failure_is_told_before_it() -> None:
    def failing() -> Iterator[ModelEvent]:
        yield TextDelta("Hel")
        yield TextDelta("lo")
        raise ProviderError("garbage", "not JSON")

    events = joined(failing())
    assert next(events) == TextDelta("Hello")
    with pytest.raises(ProviderError, match="garbage"):
        next(events)
