"""Further ways to find the user of a message: registered in an app's `ready()`, or by an installed package.

A package names a `Strategy` under the entry point `chatcore.resolvers`. It is asked where an integration's policy
names it and the key has the grant `users:act_as:<name>`. Whom it finds must agree with everything else.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from chatcore.accounts.models import User
from chatcore.accounts.principals import Principal
from chatcore.plugins import installed
from external.models.policies import STRATEGIES
from external.selectors import Selectors

ENTRY_POINTS = "chatcore.resolvers"


@dataclass(frozen=True)
class Strategy:
    """`find` gives the user, or None where it has nothing to say. It runs in the message's transaction."""

    name: str
    find: Callable[[Principal, Selectors], User | None]


_ours: dict[str, Strategy] = {}


def register(strategy: Strategy) -> None:
    """Have it asked after the identity. Raises ImproperlyConfigured where the name is taken."""
    if strategy.name in STRATEGIES or strategy.name in _ours:
        raise ImproperlyConfigured(f"two ways to find a user are called {strategy.name!r}.")
    _ours[strategy.name] = strategy


def registered() -> list[Strategy]:
    """All of them, in the order of their names."""
    found = _installed() | _ours
    return [found[name] for name in sorted(found)]


@functools.cache
def _installed() -> dict[str, Strategy]:
    return installed(ENTRY_POINTS, "ways to find a user", STRATEGIES, lambda _, strategy: strategy.name)
