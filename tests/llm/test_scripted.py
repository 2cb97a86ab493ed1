import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatcore.llm.errors import ProviderError
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.scripted import ScriptedProvider
from chatcore.llm.types import Finished, ModelEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from tests.llm.asking import events_of, request, text_of


def scripted(*script: dict[str, Any]) -> ScriptedProvider:
    return ScriptedProvider(ProviderSettings("scripted", options={"script": list(script)}))


async def play(*script: dict[str, Any], **fields: Any) -> list[ModelEvent]:
    return await events_of(scripted(*script).stream(request(**fields)))


async def test_steps_become_events_in_their_order() -> None:
    assert await play(
        {"reasoning": "Hm."},
        {"text": "Yes. "},
        {"echo": True},
        {"tool": {"index": 0, "id": "a", "name": "clock", "arguments": "{}"}},
        {"usage": {"input_tokens": 1, "output_tokens": 2}},
        {"finish": "length"},
        said="Hello?",
    ) == [
        ReasoningDelta("Hm."),
        TextDelta("Yes. "),
        TextDelta("Hello?"),
        ToolCallDelta(0, "a", "clock", "{}"),
        Usage(1, 2),
        Finished("length"),
    ]


async def test_a_text_can_be_repeated() -> None:
    assert text_of(await play({"repeat": {"text": "{n} ", "times": 3}})) == "0 1 2 "


async def test_without_a_script_it_says_what_was_said() -> None:
    provider = ScriptedProvider(ProviderSettings("scripted"))
    assert text_of(await events_of(provider.stream(request(said="Hi")))) == "You said: Hi"


async def test_a_title_is_not_the_script() -> None:
    assert text_of(await play({"text": "no"}, purpose="title")) == "A scripted title"


async def test_a_script_waits_for_its_gate_and_marks_its_way(tmp_path: Path) -> None:
    mark, gate = tmp_path / "mark", tmp_path / "gate"
    stream: Any = scripted({"text": "a"}, {"mark": str(mark)}, {"wait": str(gate)}, {"text": "b"}).stream(
        request()
    )
    assert await anext(stream) == TextDelta("a")
    waiting = asyncio.create_task(anext(stream))
    while not mark.exists():
        await asyncio.sleep(0.001)
    assert not waiting.done()
    gate.touch()
    assert await waiting == TextDelta("b")
    await stream.aclose()


async def test_a_script_can_fail_and_break_off() -> None:
    with pytest.raises(ProviderError, match="overloaded: busy"):
        await play({"text": "a"}, {"error": {"code": "overloaded", "detail": "busy"}})
    with pytest.raises(ProviderError, match="cut_off"):
        await play({"text": "a"}, {"end": True})


async def test_a_hanging_script_can_be_cancelled() -> None:
    stream: Any = scripted({"text": "a"}, {"hang": True}).stream(request())
    await anext(stream)
    hanging = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging


async def test_a_step_that_does_not_exist_is_a_mistake_in_the_script() -> None:
    with pytest.raises(ProviderError, match="no step is called 'txet'"):
        await play({"txet": "a"})
