"""JSON Schemas that others wrote: nothing is ever fetched for one, and none takes long to look through.

They have no regular expressions: one that is badly chosen would hold up everybody for hours.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import ValidationError as Misfit
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable
from referencing.jsonschema import EMPTY_REGISTRY

MAX_SCHEMA = 16_384  # characters
MOST_STEPS = 10_000  # for one document, some hundredths of a second: each keyword is one, a reference twenty
REFERENCE_STEPS = 20

_steps: ContextVar[Iterator[int]] = ContextVar("_steps")


class CannotBeFollowed(Exception):
    """The message says why."""


def validate_schema(schema: Mapping[str, Any]) -> None:
    """Raises ValidationError, in words, for one that cannot be followed."""
    if len(str(schema)) > MAX_SCHEMA:
        raise ValidationError(f"metadata_schema: longer than {MAX_SCHEMA:,} characters")
    if reason := _reason_against(schema):
        raise ValidationError(f"metadata_schema: {reason}")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValidationError(f"metadata_schema: {error.message[:300]}") from None


def first_misfit(schema: Mapping[str, Any], document: Any) -> Misfit | None:
    """Where the document does not fit the schema. Raises CannotBeFollowed."""
    if reason := _reason_against(schema):
        raise CannotBeFollowed(reason)
    rules = {name: value for name, value in schema.items() if name != "$schema"}
    _steps.set(iter(range(MOST_STEPS)))
    try:
        return next(iter(_Bounded(rules, registry=EMPTY_REGISTRY).iter_errors(document)), None)
    except Unresolvable:
        raise CannotBeFollowed("refers to something that is not in it") from None
    except RecursionError:
        raise CannotBeFollowed("refers to itself without an end") from None


def _bounded(keyword: Callable[..., Any], steps: int) -> Callable[..., Any]:
    def look(*about: Any) -> Any:
        if len(list(islice(_steps.get(), steps))) < steps:
            raise CannotBeFollowed("takes too long to follow")
        return keyword(*about)

    return look


_Bounded: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        name: _bounded(keyword, REFERENCE_STEPS if name == "$ref" else 1)
        for name, keyword in Draft202012Validator.VALIDATORS.items()
    },
)


def _reason_against(schema: Any, *, inside: bool = False) -> str:
    """Empty for one that may be followed. A property may have the name of a keyword: then no text stands there."""
    if isinstance(schema, list):
        return next(filter(None, (_reason_against(each, inside=True) for each in schema)), "")
    if not isinstance(schema, dict):
        return ""
    texts = {name: value for name, value in schema.items() if isinstance(value, str)}
    if not texts.get("$ref", "#").startswith("#") or "$dynamicRef" in texts:
        return "refers to something outside itself"
    if "pattern" in texts or "patternProperties" in schema:
        return "has a regular expression (pattern, patternProperties), which none may have; enum names values"
    if inside and "$schema" in texts:
        return "has a $schema inside, which stands at its beginning or nowhere"
    return next(filter(None, (_reason_against(each, inside=True) for each in schema.values())), "")
