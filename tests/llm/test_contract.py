# ruff: noqa: ARG002 (providers that look at nothing)
import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, ClassVar

import pytest

from chatcore.llm import contract
from chatcore.llm.contract import Broken, Check, Trial
from chatcore.llm.demo import DemoProvider
from chatcore.llm.native import NativeProvider
from chatcore.llm.providers import Provider, ProviderSettings
from chatcore.llm.scripted import ScriptedProvider
from chatcore.llm.types import Finished, ModelEvent, ModelRequest, TextDelta
from tests.upstreams.server import Upstream

each_check = pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)


@each_check
async def test_the_demo_provider_keeps_the_contract(check: Check) -> None:
    settings = ProviderSettings("demo", options={"pace": 100_000})
    await check(Trial(lambda: DemoProvider(settings), "demo"))


@each_check
async def test_the_native_provider_keeps_the_contract(upstream: Upstream, check: Check) -> None:
    settings = ProviderSettings("openai", f"{upstream.url}/v1", "sk-test")
    await check(Trial(lambda: NativeProvider(settings), "any"))


@each_check
async def test_the_scripted_provider_keeps_the_contract(check: Check) -> None:
    script = [{"text": "a"}, {"pause": 0.001}, {"echo": True}]
    settings = ProviderSettings("scripted", options={"script": script})
    await check(Trial(lambda: ScriptedProvider(settings), "scripted"))


class Faulty:
    """A provider with one fault."""

    LABEL: ClassVar[str] = "Faulty"
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    answer: ClassVar[tuple[Any, ...]] = (TextDelta("a"), TextDelta("b"), Finished())
    names: ClassVar[Any] = ["faulty"]

    def __init__(self, settings: ProviderSettings) -> None:
        self.closed = False
        self.work: asyncio.Task[None] | None = None

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        for event in self.answer:
            await asyncio.sleep(0)
            yield event

    async def models(self) -> list[str]:
        return list(self.names) if isinstance(self.names, list) else self.names

    async def close(self) -> None:
        if self.work:
            self.work.cancel()


class Endless(Faulty):
    answer = (TextDelta("a"),)


class EndsTwice(Faulty):
    answer = (TextDelta("a"), Finished(), Finished())


class SaysNothing(Faulty):
    answer = (Finished(),)


class SendsStrings(Faulty):
    answer = ("a", TextDelta("b"), Finished())


class SendsEmptyDeltas(Faulty):
    answer = (TextDelta(""), TextDelta("b"), Finished())


class NamesNothing(Faulty):
    names = "faulty"


class WorksOnWhenClosed(Faulty):
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.work = asyncio.create_task(asyncio.sleep(3600))
        yield TextDelta("a")
        self.work.cancel()
        yield Finished()


class AnswersOnce(Faulty):
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if not self.closed:
            self.closed = True
            yield TextDelta("a")
        yield Finished()


class ChokesOnParameters(Faulty):
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("a" if not request.params else "")
        yield Finished()


class ClosesOnce(Faulty):
    async def close(self) -> None:
        if self.closed:
            raise Broken("closed twice")
        self.closed = True


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (Endless, contract.an_answer_is_text_and_then_one_finished),
        (EndsTwice, contract.an_answer_is_text_and_then_one_finished),
        (SaysNothing, contract.an_answer_is_text_and_then_one_finished),
        (SendsStrings, contract.an_answer_is_text_and_then_one_finished),
        (SendsEmptyDeltas, contract.an_answer_is_text_and_then_one_finished),
        (SaysNothing, contract.titles_are_text_too),
        (NamesNothing, contract.models_are_names),
        (WorksOnWhenClosed, contract.closing_a_stream_early_leaves_nothing_behind),
        (AnswersOnce, contract.a_cancelled_stream_ends),
        (AnswersOnce, contract.several_answers_at_a_time_all_come),
        (ChokesOnParameters, contract.unknown_parameters_do_no_harm),
        (ClosesOnce, contract.closing_twice_is_closing_once),
    ],
)
async def test_a_fault_is_found(faulty: Callable[[ProviderSettings], Provider], check: Check) -> None:
    with pytest.raises(Broken):
        await check(Trial(lambda: faulty(ProviderSettings("faulty")), "faulty", seconds=0.2))


async def test_a_provider_without_fault_passes_all_of_it() -> None:
    await contract.check(Trial(lambda: Faulty(ProviderSettings("faulty")), "faulty"))
