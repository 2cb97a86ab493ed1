"""The demo provider: answers without any key, so that a first look shows the product instead of a form."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar

from chatcore.llm import demo_answers
from chatcore.llm.continuing import begun_in
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.types import Finished, ModelEvent, ModelRequest, TextDelta, Usage

MODEL = "demo"
PACE = 75.0  # tokens a second: lively, and still readable along
TOKEN = re.compile(r"\s*(?:\w{1,7}|[^\w\s]{1,3})|\s+$")


class DemoProvider:
    LABEL: ClassVar[str] = "Demonstration"
    OPTIONS: ClassVar[Mapping[str, str]] = {"pace": "tokens a second; 0 sends everything at once"}

    def __init__(self, settings: ProviderSettings) -> None:
        self._pace = float(settings.options.get("pace", PACE))

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        said = tuple(turn.text for turn in request.turns if turn.role == "user")
        text = _reply(request, said) if request.purpose == "reply" else demo_answers.title(said)
        tokens = TOKEN.findall(text)
        loop = asyncio.get_running_loop()
        due = loop.time()
        for token in tokens:
            yield TextDelta(token)
            if self._pace:
                due += _pause(token, self._pace)
                await asyncio.sleep(max(0.0, due - loop.time()))
        read = sum(len(TOKEN.findall(turn.text)) for turn in request.turns)
        yield Usage(input_tokens=read, output_tokens=len(tokens), estimated=True)
        yield Finished("stop", tuple(sorted(request.params)))

    async def models(self) -> list[str]:
        return [MODEL]

    async def close(self) -> None:
        """Nothing is held."""


def _reply(request: ModelRequest, said: Sequence[str]) -> str:
    begun = begun_in(request.turns)
    return demo_answers.answer(said[:-1]).removeprefix(begun) if begun else demo_answers.answer(said)


def _pause(token: str, pace: float) -> float:
    """Seconds after one token: a breath after each paragraph, the rest a little faster to make up for it."""
    return 4 / pace if "\n\n" in token else 0.95 / pace
