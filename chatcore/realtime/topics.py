"""What a live connection may subscribe to and command. Upper apps register; the consumer asks.

A topic opens a subscription for a principal: it checks permission, joins the hub and sends its snapshot, in an order
that leaves no gap. A command is what a client may do over the connection instead of by a request.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from chatcore.accounts.principals import Principal
from chatcore.realtime.hub import Watcher


class Subscription(Protocol):
    """An open subscription of one connection."""

    async def allowed(self) -> bool:
        """Whether the principal may still hear it."""

    def close(self) -> None: ...


class Topic(Protocol):
    async def __call__(
        self, principal: Principal, name: str, watcher: Watcher, *, html: bool
    ) -> Subscription:
        """Open a subscription. `html`: the watcher is a web page and wants rendered blocks. Raises NotFound."""


@dataclass(frozen=True)
class Command:
    """One client frame type: the shape of its data and what it does; returns the data of the `result` frame."""

    shape: type[BaseModel]
    run: Callable[[Principal, Any], Awaitable[dict[str, Any]]]


@dataclass
class Registry:
    topics: dict[str, Topic] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)


registry = Registry()
