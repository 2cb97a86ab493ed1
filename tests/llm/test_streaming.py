import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from pytest_django import Settings

from chatcore.llm.errors import ProviderError
from chatcore.llm.streaming import Timeouts, configured_timeouts, guarded
from chatcore.llm.types import Finished, ModelEvent, TextDelta, Usage
from tests.llm.asking import PATIENT, events_of

NEVER = 3600.0


class Script:
    """A provider's stream that notes how it ended."""

    def __init__(self, *steps: ModelEvent | Exception | None) -> None:
        self.steps = steps
        self.ended = ""

    async def stream(self) -> AsyncIterator[ModelEvent]:
        try:
            for step in self.steps:
                if step is None:
                    await asyncio.Event().wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        except GeneratorExit:
            self.ended = "closed"
            raise
        finally:
            self.ended = self.ended or "over"


async def failure(script: Script, timeouts: Timeouts = PATIENT) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await events_of(script.stream(), timeouts)
    return caught.value


async def test_events_pass_and_usage_comes_just_before_the_end() -> None:
    script = Script(TextDelta("a"), Usage(1, 1), Usage(1, 2), TextDelta("b"), Finished("length"))
    assert await events_of(script.stream()) == [
        TextDelta("a"),
        TextDelta("b"),
        Usage(1, 2),
        Finished("length"),
    ]


async def test_nothing_after_the_end_is_waited_for() -> None:
    script = Script(TextDelta("a"), Finished(), None)
    assert await events_of(script.stream()) == [TextDelta("a"), Finished()]
    assert script.ended == "closed"


async def test_a_stream_that_just_stops_was_cut_off() -> None:
    assert (await failure(Script(TextDelta("a")))).code == "cut_off"
    assert (await failure(Script())).code == "cut_off"


async def test_an_end_without_content_is_an_empty_answer() -> None:
    assert (await failure(Script(Usage(1, 0), Finished()))).code == "empty"


async def test_an_end_without_content_may_be_the_work_of_a_filter() -> None:
    assert (await failure(Script(Finished("content_filter")))).code == "content_filter"


@pytest.mark.parametrize(
    ("timeouts", "steps", "why"),
    [
        (Timeouts(0.02, NEVER, NEVER), [None], "no answer for 0.02 s"),
        (Timeouts(NEVER, 0.02, NEVER), [TextDelta("a"), None], "nothing more for 0.02 s"),
        (Timeouts(NEVER, NEVER, 0.02), [TextDelta("a"), None], "not finished within 0.02 s"),
    ],
)
async def test_every_wait_has_its_limit(timeouts: Timeouts, steps: list[ModelEvent | None], why: str) -> None:
    script = Script(*steps)
    error = await failure(script, timeouts)
    assert (error.code, error.detail, script.ended) == ("timeout", why, "cancelled")
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_provider_that_makes_something_else_of_our_cancelling_still_timed_out() -> None:
    async def stubborn() -> AsyncIterator[ModelEvent]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ProviderError("unavailable", "was cancelled") from None
        yield TextDelta("never")

    with pytest.raises(ProviderError, match="timeout"):
        await events_of(stubborn(), Timeouts(0.02, NEVER, NEVER))


async def test_a_slow_reader_is_not_the_providers_fault() -> None:
    script = Script(TextDelta("a"), TextDelta("b"), Finished())
    heard = []
    async for event in guarded(script.stream(), Timeouts(0.4, 0.4, NEVER)):
        if not heard:
            await asyncio.sleep(0.5)
        heard.append(event)
    assert heard == [TextDelta("a"), TextDelta("b"), Finished()]


async def test_cancelling_the_reader_cancels_the_provider_and_is_no_timeout() -> None:
    script = Script(TextDelta("a"), None)
    reached = asyncio.Event()

    async def read() -> None:
        async for _ in guarded(script.stream(), PATIENT):
            reached.set()

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert script.ended == "cancelled"


async def test_closing_the_guard_closes_the_provider() -> None:
    script = Script(TextDelta("a"), TextDelta("b"))
    events = guarded(script.stream(), PATIENT)
    assert await anext(events) == TextDelta("a")
    await events.aclose()
    assert script.ended == "closed"


async def test_any_other_exception_is_logged_and_becomes_ours(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        error = await failure(Script(TextDelta("a"), KeyError("choices")))
    assert (error.code, error.detail) == ("unavailable", "KeyError: 'choices'")
    assert "a provider's stream failed" in caplog.text


async def test_trouble_in_closing_does_not_spoil_a_complete_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def clumsy() -> AsyncIterator[ModelEvent]:
        try:
            yield TextDelta("a")
            yield Finished()
        finally:
            raise RuntimeError("cannot close")

    with caplog.at_level(logging.ERROR):
        assert await events_of(clumsy()) == [TextDelta("a"), Finished()]
    assert "could not be closed" in caplog.text


def test_the_limits_are_settings(settings: Settings) -> None:
    settings.MODEL_FIRST_TOKEN_TIMEOUT = 1
    settings.MODEL_TOKEN_TIMEOUT = 2
    settings.MODEL_TOTAL_TIMEOUT = 3
    assert configured_timeouts() == Timeouts(1, 2, 3)
