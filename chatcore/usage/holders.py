"""Who still needs what was set aside: asked of the apps above, which register themselves in their `ready()`."""

import uuid
from collections.abc import Callable, Iterable

# Given ids of replies, those of them that wait or run.
Running = Callable[[Iterable[uuid.UUID]], set[uuid.UUID]]

_registered: list[Running] = []


def register_running(running: Running) -> None:
    _registered.append(running)


def still_running(messages: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    chosen = list(messages)
    return set().union(*(running(chosen) for running in _registered))
