"""Servers without a reasoning parser send the model's own marks: `<think>…</think>` before the answer."""

from collections.abc import Iterator
from typing import Literal

from chatcore.llm.types import ModelEvent, ReasoningDelta, TextDelta

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Tells reasoning from text. Only an answer that begins with the mark is taken apart.

    `settled`: everything from now on is text, and need not come here any more.
    """

    __slots__ = ("_begun", "_held", "_state", "settled")

    def __init__(self) -> None:
        self._state: Literal["before", "inside", "after"] = "before"
        self._begun = False
        self._held = ""
        self.settled = False

    def read(self, text: str) -> Iterator[ModelEvent]:
        """What `text` and what was held back before it say; what may be part of a mark is held back."""
        self._held += text
        if self._state == "before":
            begun = self._held.lstrip()
            if begun.startswith(OPEN):
                self._state, self._held = "inside", begun.removeprefix(OPEN)
            elif not OPEN.startswith(begun):
                yield from self.rest()
        if self._state == "inside":
            yield from self._thoughts()
        if self._state == "after" and (answer := self._held.lstrip("\n")):
            self._held, self.settled = "", True
            yield TextDelta(answer)

    def _thoughts(self) -> Iterator[ModelEvent]:
        thought, mark, answer = self._held.partition(CLOSE)
        held = answer if mark else _possible_start(thought)
        thought = thought if mark else thought.removesuffix(held)
        thought = thought if self._begun else thought.lstrip("\n")
        self._held = held
        if mark:
            self._state = "after"
        if thought:
            self._begun = True
            yield ReasoningDelta(thought)

    def rest(self) -> Iterator[ModelEvent]:
        """What is still held back when no more comes."""
        held, self._held, self.settled = self._held, "", True
        if held and self._state != "after":
            yield ReasoningDelta(held) if self._state == "inside" else TextDelta(held)


def _possible_start(text: str) -> str:
    """The end of `text` that may be the start of the closing mark."""
    sizes = range(min(len(CLOSE) - 1, len(text)), 0, -1)
    return next((text[-size:] for size in sizes if CLOSE.startswith(text[-size:])), "")
