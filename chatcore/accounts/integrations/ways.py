"""Ways in for an integration's senders besides its keys. Who opens some says so (`AppConfig.ready`)."""

import uuid
from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

Find: TypeAlias = Callable[[Collection[uuid.UUID]], Iterable[uuid.UUID]]

_known: dict[str, Find] = {}


def register(name: str, find: Find) -> None:
    """`name` is what people call such ways, and the URL of the page that lists them.

    `find(integrations)` returns which of them have one that is open now. Uses the database.
    """
    _known[name] = find


def open_besides_keys(integrations: Collection[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """The names of the ways that are open, by the integrations that have any."""
    found: dict[uuid.UUID, list[str]] = {}
    for name, find in _known.items():
        for each in set(find(integrations)):
            found.setdefault(each, []).append(name)
    return found
