"""The fragments of tool calls, as servers of many kinds send them, under one numbering."""

import json
from typing import Any

from chatcore.llm.types import ToolCallDelta


class ToolFragments:
    """Gives each call of one answer an index and an id, also where the server sends none, or the same for all."""

    __slots__ = ("_calls", "_ids", "_last")

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}  # the server's index → ours
        self._ids: list[str] = []
        self._last = 0

    def read(self, call: dict[str, Any], position: int) -> ToolCallDelta:
        """The event of one fragment; `position` is its place in its chunk. Raises TypeError, ValueError."""
        function = call.get("function") or {}
        name, given = text_in(function.get("name")), text_in(call.get("id"))
        theirs = call.get("index")
        theirs = None if theirs is None else int(theirs)
        ours = self._known(theirs, position, given, name)
        begins = ours is None
        if ours is None:
            ours = len(self._ids)
            self._ids.append(given or f"call_{ours}")
        if theirs is not None:
            self._calls[theirs] = ours
        self._last = ours
        arguments = function.get("arguments") or ""
        # Some servers send the arguments as the object they stand for.
        written = json.dumps(arguments) if isinstance(arguments, dict) else text_in(arguments)
        return ToolCallDelta(ours, self._ids[ours] if begins else "", name if begins else "", written)

    def _known(self, theirs: int | None, position: int, given: str, name: str) -> int | None:
        """Our index of a call that has begun; None where this fragment begins one."""
        ours = self._calls.get(theirs) if theirs is not None else None
        if ours is None and theirs is None and self._ids and not (name or (given and given not in self._ids)):
            ours = self._ids.index(given) if given else max(self._last, position)
        if ours is None or ours >= len(self._ids):
            return None
        another = bool(given and name and given != self._ids[ours])
        return None if another else ours


def text_in(value: Any) -> str:
    """A text, which may be missing; TypeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text belongs")
    return value
