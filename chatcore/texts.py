"""Checks of what comes from outside, before anything is stored. Text is refused, never cut or altered."""

import math
import re
from typing import Any

from django.conf import settings

from chatcore.errors import FieldProblem, Invalid
from chatcore.problems import pointer_to

_SURROGATES = re.compile("[\ud800-\udfff]")


def checked_text(value: Any, pointer: str, *, limit: int | None = None, required: bool = True) -> str:
    """The text itself, if Postgres and every reader can hold it; else Invalid, pointing at the field."""
    limit = limit or settings.MAX_TEXT_LENGTH
    if not isinstance(value, str):
        raise refused(pointer, "must be a text", "type")
    if "\x00" in value:
        raise refused(pointer, "must not contain the character U+0000", "nul")
    if _SURROGATES.search(value):
        raise refused(pointer, "must not contain lone surrogates (U+D800 to U+DFFF)", "surrogate")
    if len(value) > limit:
        raise refused(pointer, f"has {len(value):,} characters; at most {limit:,} are taken", "too_long")
    if required and not value.strip():
        raise refused(pointer, "must not be empty", "empty")
    return value


def checked_object(value: Any, pointer: str, *, most_keys: int, depth: int = 4) -> dict[str, Any]:
    """A JSON object whose texts and numbers Postgres can hold."""
    if not isinstance(value, dict) or len(value) > most_keys:
        raise refused(pointer, f"must be an object of at most {most_keys} keys", "type")
    _check_json(value, pointer, depth)
    return value


def _check_json(value: Any, pointer: str, depth: int) -> None:
    if depth == 0:
        raise refused(pointer, "is nested too deeply", "depth")
    if isinstance(value, str):
        checked_text(value, pointer, required=False)
    elif isinstance(value, float) and not math.isfinite(value):
        raise refused(pointer, "must be a number that can be written down", "not_finite")
    elif isinstance(value, dict):
        for key, item in value.items():
            checked_text(key, pointer, limit=100)
            _check_json(item, pointer + pointer_to(key), depth - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, pointer + pointer_to(index), depth - 1)


def refused(pointer: str, detail: str, code: str) -> Invalid:
    """The problem of one field of a body."""
    return Invalid(f"{pointer.strip('/')} {detail}.", errors=[FieldProblem(pointer, detail, code)])
