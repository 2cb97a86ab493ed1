"""Where a source's JSON has what: a field of a message each, with JSONPath (RFC 9535), so that it needs no code.

    {"each": "$.alerts[*]", "content": ["Alert:", "$.labels.alertname"], "external_id": "$.fingerprint",
     "thread": "$.labels.host", "metadata": {"severity": "$.labels.severity"}}

What begins with `$` is a path into the JSON, or into each of the things that `each` finds; anything else stands for
itself. A list of them is joined by spaces.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError

from chatcore.errors import ChatcoreError, FieldProblem, Invalid
from chatcore.problems import invalid, pointer_to
from external.adapters.adapter import Incoming, Media

SINGLE = ("external_id", "thread", "title", "channel", "handle", "email")
FIELDS = ("content", *SINGLE, "metadata", "media", "each")
MOST_ITEMS = 100
MOST_MEDIA = 10
MOST_FOUND = 1_000
MOST_PARTS = 100
LONGEST_PART = 500  # characters of a path: a longer one takes seconds to compile
MOST_COMMAS = 4  # of a path: each may double what it goes through

Map = Mapping[str, Any]


def _environment() -> JSONPathEnvironment:
    """Without its regular expressions: one that is badly chosen would hold a thread for hours."""
    environment = JSONPathEnvironment(strict=True)
    for name in ("match", "search"):
        environment.function_extensions.pop(name)
    return environment


_ENVIRONMENT = _environment()
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


def problems_of(given: Any) -> list[FieldProblem]:
    """What is wrong with a map. It must at least say where the text is."""
    if not isinstance(given, dict):
        return [FieldProblem("", "must be an object", "type")]
    found = [FieldProblem(pointer_to(name), "is no field", "unknown") for name in given if name not in FIELDS]
    if not given.get("content"):
        found.append(FieldProblem("/content", "must be given", "required"))
    if bool(given.get("channel")) != bool(given.get("handle")):
        found.append(FieldProblem("/handle", "goes with channel", "required"))
    parts = list(_parts(given))
    if len(parts) > MOST_PARTS:
        return [*found, FieldProblem("", f"has more than {MOST_PARTS} parts", "too_many")]
    for pointer, part in parts:
        try:
            if not isinstance(part, str):
                found.append(FieldProblem(pointer, "must be text", "type"))
            elif len(part) > LONGEST_PART:
                found.append(FieldProblem(pointer, f"has more than {LONGEST_PART} characters", "too_long"))
            elif part.startswith("$"):
                _path(part)
        except Invalid as error:
            found.append(FieldProblem(pointer, error.detail, "jsonpath"))
    return found


def read(given: Map, document: Any) -> list[Incoming | ChatcoreError]:
    """The messages of a document, and what is wrong with those that cannot be read. Raises Invalid."""
    each = given.get("each")
    found = _found(each, document) if each else [document]
    if len(found) > MOST_ITEMS:
        raise Invalid(f"each: finds {len(found)} messages; {MOST_ITEMS} is the most", errors=())
    return [_read_one(given, item) for item in found]


def _read_one(given: Map, item: Any) -> Incoming | ChatcoreError:
    problems: list[FieldProblem] = []
    values: dict[str, Any] = {"content": _joined(given["content"], item)}
    if not values["content"]:
        problems.append(FieldProblem("/content", f"{_shown(given['content'])} finds nothing", "required"))
    for name in SINGLE:
        if name in given:
            values[name] = _joined(given[name], item)
    if given.get("external_id") and not values["external_id"]:
        problems.append(
            FieldProblem("/external_id", f"{_shown(given['external_id'])} finds nothing", "required")
        )
    if given.get("handle") and not values["handle"]:
        problems.append(FieldProblem("/handle", f"{_shown(given['handle'])} finds nothing", "required"))
    values["media"] = tuple(_media(url) for url in _found(given["media"], item)) if given.get("media") else ()
    if len(values["media"]) > MOST_MEDIA:
        problems.append(FieldProblem("/media", f"must be at most {MOST_MEDIA}", "too_many_attachments"))
    named = {name: _joined(where, item) for name, where in (given.get("metadata") or {}).items()}
    metadata = {name: value for name, value in named.items() if value}
    return invalid(problems) if problems else Incoming(**values, metadata=metadata)


def _joined(where: Any, item: Any) -> str:
    """Empty where none of its paths finds anything, whatever stands beside them."""
    parts = where if isinstance(where, list) else [where]
    texts = [(_text_at(part, item), part.startswith("$")) for part in parts]
    has_paths = any(is_path for _, is_path in texts)
    if has_paths and not any(text for text, is_path in texts if is_path):
        return ""
    return " ".join(text for text, _ in texts if text)


def _text_at(part: str, item: Any) -> str:
    if not part.startswith("$"):
        return part
    return "\n".join(_text_of(value) for value in _found(part, item) if value is not None)


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _found(path: str, item: Any) -> list[Any]:
    document = json.dumps(item) if isinstance(item, str) else item  # a text would be read as JSON
    try:
        values = _path(path).findall(document)
    except (JSONPathError, RecursionError) as error:
        raise Invalid(f"{path} cannot be followed: {_first_line(error)}") from None
    if len(values) > MOST_FOUND:
        raise Invalid(f"{path} finds {len(values)} values; {MOST_FOUND} is the most")
    return values


@functools.lru_cache(maxsize=512)
def _path(text: str) -> JSONPath:
    """One that goes through a document about once, however it is nested."""
    bare = _QUOTED.sub("", text)
    if bare.count("..") > 1 or "$" in bare[1:] or bare.count(",") > MOST_COMMAS:
        raise Invalid(
            f"goes through too much: a path has one `..`, {MOST_COMMAS} commas, and no `$` but its first"
        )
    try:
        compiled = _ENVIRONMENT.compile(text)
    except (JSONPathError, RecursionError) as error:
        raise Invalid(f"is no JSONPath: {_first_line(error)}") from None
    assert isinstance(compiled, JSONPath)
    return compiled


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _media(url: Any) -> Media:
    text = _text_of(url)
    return Media(text, urlsplit(text).path.rpartition("/")[2][:100] or "file", "")


def _parts(given: Map) -> Iterator[tuple[str, Any]]:
    for name, where in given.items():
        if name == "metadata" and isinstance(where, dict):
            yield from (
                (pointer_to(name, key, *place), part)
                for key, value in where.items()
                for place, part in _listed(value)
            )
        elif name in ("each", "media"):
            path = isinstance(where, str) and where.startswith("$")
            yield pointer_to(name), where if path else None
        elif name in FIELDS:
            yield from ((pointer_to(name, *place), part) for place, part in _listed(where))


def _listed(where: Any) -> list[tuple[tuple[int, ...], Any]]:
    return (
        [((place,), part) for place, part in enumerate(where)] if isinstance(where, list) else [((), where)]
    )


def _shown(where: Any) -> str:
    return ", ".join(where) if isinstance(where, list) else str(where)
