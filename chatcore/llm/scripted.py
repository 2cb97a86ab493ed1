"""The scripted provider: plays a list of steps, so that a test can stop a stream at exactly one place.

`options["script"]` is that list; each step is an object with one of these names:

- `text`, `reasoning`: one delta
- `tool`: one tool call fragment `{index, id, name, arguments}`
- `repeat`: `{text, times, pause}`, the text over and over; `{n}` in it is the number of the repetition
- `echo`: one delta with the last thing the user said (its value does not matter)
- `pause`: seconds
- `mark`: makes the file of that path: the script has come this far
- `wait`: goes on once a file of that path exists; works across processes
- `hang`: never goes on
- `usage`: `{input_tokens, output_tokens, …}`
- `reads`: characters: a longer request is refused as `context_too_long`
- `error`: `{code, detail, retry_after, …}` raises that ProviderError
- `end`: ends the stream without Finished, as a lost connection does
- `finish`: the reason; without it the script finishes with "stop"
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from chatcore.llm import parameters
from chatcore.llm.errors import ProviderError
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import (
    Finished,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

Script = list[dict[str, Any]]
DEFAULT: Script = [{"text": "You said: "}, {"echo": True}]
LOOK_EVERY = 0.01  # seconds between two looks for a file


class ScriptedProvider:
    LABEL: ClassVar[str] = "Scripted (for tests)"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "script": "list of steps that every reply plays",
        "title": "what a request for a title answers",
        "summary": "what a request for a summary answers",
    }

    def __init__(self, settings: ProviderSettings) -> None:
        self._script: Script = settings.options.get("script", DEFAULT)
        self._short = {
            "title": settings.options.get("title", "A scripted title"),
            "summary": settings.options.get("summary", "A scripted summary"),
        }

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        short = self._short.get(request.purpose)
        script: Script = self._script if short is None else [{"text": short}]
        for step in script:
            ((name, value),) = step.items()
            if name == "end":
                return
            if name == "finish":
                yield Finished(value)
                return
            if name == "repeat":
                for number in range(value["times"]):
                    yield TextDelta(value["text"].replace("{n}", str(number)))
                    await asyncio.sleep(value.get("pause", 0))
            elif name == "reads":
                if sum(len(turn.text) for turn in request.turns) > value:
                    raise ProviderError("context_too_long", f"more than {value} characters")
            elif name in EVENTS:
                yield EVENTS[name](value, request)
            else:
                await _do(name, value)
        yield Finished("stop", tuple(parameters.unknown(request.params)))

    async def models(self) -> list[str]:
        return ["scripted"]

    async def close(self) -> None:
        """Nothing is held."""


def _last_said(request: ModelRequest) -> str:
    return next((turn.text for turn in reversed(request.turns) if turn.role == "user"), "")


EVENTS: dict[str, Callable[[Any, ModelRequest], ModelEvent]] = {
    "text": lambda value, _: TextDelta(value),
    "reasoning": lambda value, _: ReasoningDelta(value),
    "tool": lambda value, _: ToolCallDelta(**value),
    "usage": lambda value, _: Usage(**value),
    "echo": lambda _, request: TextDelta(_last_said(request)),
}


async def _do(name: str, value: Any) -> None:
    match name:
        case "pause":
            await asyncio.sleep(value)
        case "mark":
            await asyncio.to_thread(Path(value).touch)
        case "wait":
            while not await asyncio.to_thread(Path(value).exists):  # noqa: ASYNC110 (may be another process)
                await asyncio.sleep(LOOK_EVERY)
        case "hang":
            await asyncio.Event().wait()
        case "error":
            raise ProviderError(**value)
        case _:
            raise ValueError(f"no step is called {name!r}")
