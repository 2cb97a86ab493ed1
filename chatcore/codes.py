"""Every code that a problem or a failed reply can carry, gathered from the classes that raise them."""

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatcore.errors import ChatcoreError, family
from chatcore.llm.errors import RETRYABLE, WORDS


@dataclass(frozen=True)
class Code:
    """What stands behind a code: what it means, what to do, whether the same request may succeed later."""

    name: str
    status: int | None
    title: str
    more: str
    remedy: str
    retryable: bool


def problems() -> list[Code]:
    """Of problem documents, by status and name. A code that several classes share is told of by the first."""
    kinds: dict[str, type[ChatcoreError]] = {}
    for kind in family():
        kinds.setdefault(kind.code, kind)
    return sorted((_code(kind) for kind in kinds.values()), key=lambda code: (code.status or 0, code.name))


def failures() -> list[Code]:
    """Of replies that failed, as they stand in the message's `error`."""
    again = "Retry the reply, or let another model answer."
    change = "Change the request or the model: the same one fails again."
    return [
        Code(name, None, words, "", again if name in RETRYABLE else change, name in RETRYABLE)
        for name, words in sorted(WORDS.items())
    ]


def enumerated(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a problem, whose `code` is one of them."""
    found = copy.deepcopy(dict(schema))
    found["properties"]["code"]["enum"] = sorted(code.name for code in problems())
    return found


def _code(kind: type[ChatcoreError]) -> Code:
    title, _, more = inspect.cleandoc(kind.__doc__ or "").partition("\n")
    return Code(kind.code, kind.status, title, more.strip(), kind.remedy, kind.retryable)
