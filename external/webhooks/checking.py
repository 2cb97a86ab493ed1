"""Whether what is asked of a webhook can be: its address, its types, its filter."""

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from chatcore.errors import FieldProblem, Invalid
from chatcore.problems import invalid
from chatcore.realtime import filters
from chatcore.realtime.catalogue import CATALOGUE, EventBody
from chatcore.security.outbound import AddressRefused, check_url

MOST_TYPES = 20
_GLOB = re.compile(r"[a-z*][a-z_.*]{0,59}")


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raises Invalid, which names every field that cannot be as it is."""
    problems = [
        problem for name, check in _CHECKS.items() if name in fields for problem in check(fields[name])
    ]
    if problems:
        raise invalid(problems)


def event_types() -> list[str]:
    """Every type that a webhook can ask for."""
    return sorted(name for name, body in CATALOGUE.items() if issubclass(body, EventBody))


def _url(url: str) -> Iterator[FieldProblem]:
    try:
        check_url(url)
    except AddressRefused as refusal:
        yield FieldProblem("/url", refusal.detail, refusal.code)


def _types(types: list[str]) -> Iterator[FieldProblem]:
    if not 0 < len(types) <= MOST_TYPES:
        yield FieldProblem("/types", f"Name 1 to {MOST_TYPES} types of events.")
    known = event_types()
    for place, glob in enumerate(types[:MOST_TYPES]):
        if not _GLOB.fullmatch(glob) or not any(fnmatchcase(name, glob) for name in known):
            yield FieldProblem(f"/types/{place}", f"No event is called {glob[:60]!r}.", "unknown_event")


def _filter(condition: Any) -> Iterator[FieldProblem]:
    if condition is None:
        return
    try:
        filters.check(condition, "/filter")
    except Invalid as refusal:
        yield from refusal.errors


_CHECKS: Mapping[str, Callable[[Any], Iterator[FieldProblem]]] = {
    "url": _url,
    "types": _types,
    "filter": _filter,
}
