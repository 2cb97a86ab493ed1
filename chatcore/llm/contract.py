"""What every provider must hold, as checks to run on an implementation (docs/providers.md shows how).

Each check is a coroutine function of one argument, a Trial; it raises Broken, an AssertionError, with what is
wrong. `check` runs all of them. The provider must answer the trial's request with some text.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from chatcore.llm.providers import Provider
from chatcore.llm.types import (
    Finished,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Turn,
    Usage,
)

EVENTS = (TextDelta, ReasoningDelta, ToolCallDelta, Usage, Finished)
AT_ONCE = 8


class Broken(AssertionError):
    """A provider does not keep the contract."""


@dataclass(frozen=True)
class Trial:
    """`build` makes a new provider inside the running event loop; `seconds` is the patience for one answer."""

    build: Callable[[], Provider]
    model: str
    prompt: str = "Say something, please."
    seconds: float = 30.0

    def request(self) -> ModelRequest:
        return ModelRequest(self.model, (Turn("system", "Be brief."), Turn("user", self.prompt)))

    @asynccontextmanager
    async def provider(self) -> AsyncIterator[Provider]:
        provider = self.build()
        try:
            async with asyncio.timeout(self.seconds):
                yield provider
        finally:
            await provider.close()


async def an_answer_is_text_and_then_one_finished(trial: Trial) -> None:
    async with trial.provider() as provider:
        events = [event async for event in provider.stream(trial.request())]
    _require(all(isinstance(event, EVENTS) for event in events), "an event is none of chatcore.llm.types")
    _require(bool(_text(events)), "no text came")
    _require(isinstance(events[-1], Finished), "the last event is not Finished")
    _require(sum(isinstance(event, Finished) for event in events) == 1, "Finished came twice")
    _require(sum(isinstance(event, Usage) for event in events) <= 1, "Usage came twice")
    empty = [event for event in events if isinstance(event, TextDelta | ReasoningDelta) and not event.text]
    _require(not empty, "a delta is empty")


async def unknown_parameters_do_no_harm(trial: Trial) -> None:
    request = trial.request()
    params = {"temperature": 0.5, "max_tokens": 100, "no_such_parameter": True, "model": "another"}
    async with trial.provider() as provider:
        asked = ModelRequest(request.model, request.turns, params)
        events = [event async for event in provider.stream(asked)]
    _require(bool(_text(events)), "no text came")


async def several_answers_at_a_time_all_come(trial: Trial) -> None:
    async with trial.provider() as provider:
        together = await asyncio.gather(*(_whole(provider, trial) for _ in range(AT_ONCE)))
    _require(all(together), "one of several answers at a time stayed empty")


async def closing_a_stream_early_leaves_nothing_behind(trial: Trial) -> None:
    async with trial.provider() as provider:
        # What the first answer starts for good (a connection, a process) is not what this is about.
        await _whole(provider, trial)
        before = asyncio.all_tasks()
        stream: Any = provider.stream(trial.request())
        await anext(stream)
        await stream.aclose()
        _require(await anext(stream, None) is None, "a closed stream gave another event")
        left = asyncio.all_tasks() - before
        if left:
            _, left = await asyncio.wait(left, timeout=trial.seconds / 2)
        _require(not left, f"tasks of a closed stream go on: {left}")
        _require(bool(await _whole(provider, trial)), "no answer after a stream was closed early")


async def a_cancelled_stream_ends(trial: Trial) -> None:
    async with trial.provider() as provider:
        begun = asyncio.Event()
        task = asyncio.create_task(_whole(provider, trial, begun))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        _require(task.done(), "cancelling does not end the stream")
        _require(bool(await _whole(provider, trial)), "no answer after a stream was cancelled")


async def titles_are_text_too(trial: Trial) -> None:
    request = ModelRequest(trial.model, (Turn("user", trial.prompt),), purpose="title")
    async with trial.provider() as provider:
        events = [event async for event in provider.stream(request)]
    _require(bool(_text(events).strip()), "no title came")


async def models_are_names(trial: Trial) -> None:
    async with trial.provider() as provider:
        names = await provider.models()
    _require(isinstance(names, list) and all(isinstance(name, str) and name for name in names), "not names")


async def closing_twice_is_closing_once(trial: Trial) -> None:
    provider = trial.build()
    await provider.close()
    await provider.close()


Check = Callable[[Trial], Awaitable[None]]
CHECKS: tuple[Check, ...] = (
    an_answer_is_text_and_then_one_finished,
    unknown_parameters_do_no_harm,
    several_answers_at_a_time_all_come,
    closing_a_stream_early_leaves_nothing_behind,
    a_cancelled_stream_ends,
    titles_are_text_too,
    models_are_names,
    closing_twice_is_closing_once,
)


async def check(trial: Trial) -> None:
    """Run every check, one after the other."""
    for each in CHECKS:
        await each(trial)


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise Broken(complaint)


def _text(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def _whole(provider: Provider, trial: Trial, begun: asyncio.Event | None = None) -> str:
    events = []
    async for event in provider.stream(trial.request()):
        events.append(event)
        if begun:
            begun.set()
    return _text(events)
