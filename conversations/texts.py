"""Checks of what people and systems write in conversations."""

from typing import Any

from chatcore import texts
from chatcore.llm import parameters

MAX_TITLE_LENGTH = 200
MAX_MODEL_NAME_LENGTH = 150
MAX_PARAMS_KEYS = 50


def checked_text(
    value: Any, pointer: str = "/content", *, limit: int | None = None, required: bool = True
) -> str:
    return texts.checked_text(value, pointer, limit=limit, required=required)


def checked_title(value: Any, pointer: str = "/title") -> str:
    return " ".join(checked_text(value, pointer, limit=MAX_TITLE_LENGTH).split())


def checked_model_name(value: Any, pointer: str = "/model") -> str:
    return checked_text(value, pointer, limit=MAX_MODEL_NAME_LENGTH, required=False)


def checked_params(value: Any, pointer: str = "/params") -> dict[str, Any]:
    """Model parameters: an object of at most 50 keys whose texts Postgres can hold, the known ones in their range."""
    texts.checked_object(value, pointer, most_keys=MAX_PARAMS_KEYS)
    parameters.check(value, pointer)
    params: dict[str, Any] = value
    return params
