"""What installed packages bring along, by entry points: https://packaging.python.org/specifications/entry-points/."""

from collections.abc import Callable, Collection
from importlib.metadata import entry_points
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def installed(
    group: str, kind: str, taken: Collection[str], name_of: Callable[[str, Any], str] = lambda name, _: name
) -> dict[str, Any]:
    """What the entry points of the group stand for, by name. `name_of` is given an entry point's name and its thing.

    Raises ImproperlyConfigured where two are called the same, or one as one of the `taken`; `kind` is their plural.
    """
    found: dict[str, Any] = {}
    for point in entry_points(group=group):
        thing = point.load()
        name = name_of(point.name, thing)
        if name in taken or name in found:
            raise ImproperlyConfigured(f"two {kind} are called {name!r}; one is {point.value}.")
        found[name] = thing
    return found
