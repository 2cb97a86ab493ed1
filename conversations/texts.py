"""Checks of what people and systems write, before anything is stored. Text is refused, never cut or altered."""

import math
from typing import Any

from django.conf import settings

from chatcore.errors import FieldProblem, Invalid
from chatcore.llm import parameters
from chatcore.problems import pointer_to

MAX_TITLE_LENGTH = 200
MAX_MODEL_NAME_LENGTH = 150
MAX_PARAMS_KEYS = 50


def checked_text(
    value: Any, pointer: str = "/content", *, limit: int | None = None, required: bool = True
) -> str:
    """The text itself, if Postgres and every reader can hold it; else Invalid, pointing at the field."""
    limit = limit or settings.MAX_TEXT_LENGTH
    if not isinstance(value, str):
        raise _refused(pointer, "must be a text", "type")
    if "\x00" in value:
        raise _refused(pointer, "must not contain the character U+0000", "nul")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _refused(pointer, "must not contain lone surrogates (U+D800 to U+DFFF)", "surrogate")
    if len(value) > limit:
        raise _refused(pointer, f"has {len(value):,} characters; at most {limit:,} are taken", "too_long")
    if required and not value.strip():
        raise _refused(pointer, "must not be empty", "empty")
    return value


def checked_title(value: Any, pointer: str = "/title") -> str:
    return " ".join(checked_text(value, pointer, limit=MAX_TITLE_LENGTH).split())


def checked_model_name(value: Any, pointer: str = "/model") -> str:
    return checked_text(value, pointer, limit=MAX_MODEL_NAME_LENGTH, required=False)


def checked_params(value: Any, pointer: str = "/params") -> dict[str, Any]:
    """Model parameters: an object of at most 50 keys whose texts Postgres can hold, the known ones in their range."""
    if not isinstance(value, dict) or len(value) > MAX_PARAMS_KEYS:
        raise _refused(pointer, f"must be an object of at most {MAX_PARAMS_KEYS} keys", "type")
    _check_json(value, pointer, depth=4)
    parameters.check(value, pointer)
    return value


def _check_json(value: Any, pointer: str, depth: int) -> None:
    if depth == 0:
        raise _refused(pointer, "is nested too deeply", "depth")
    if isinstance(value, str):
        checked_text(value, pointer, required=False)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _refused(pointer, "must be a number that can be written down", "not_finite")
    elif isinstance(value, dict):
        for key, item in value.items():
            checked_text(key, pointer, limit=100)
            _check_json(item, pointer + pointer_to(key), depth - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, pointer + pointer_to(index), depth - 1)


def _refused(pointer: str, detail: str, code: str) -> Invalid:
    return Invalid(f"{pointer.strip('/')} {detail}.", errors=[FieldProblem(pointer, detail, code)])
