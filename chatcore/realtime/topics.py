"""What a live connection may subscribe to and command. Upper apps register; the transports ask.

A topic opens a subscription for a principal: it checks permission, joins the hub and sends its snapshot, in an order
that leaves no gap. A command is a frame a client may send instead of making a request.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from chatcore.accounts.principals import Principal
from chatcore.realtime.hub import Watcher

if TYPE_CHECKING:
    from chatcore.realtime.sessions import LiveSession


class ClientShape(BaseModel):
    """A shape of what clients send. A field that it does not list is refused."""

    model_config = ConfigDict(extra="forbid")


class Subscription(Protocol):
    """An open subscription of one connection."""

    async def allowed(self, principal: Principal) -> bool:
        """Whether the principal, as it is now, may still hear it."""

    def close(self) -> None: ...


class Topic(Protocol):
    def check(self, principal: Principal, name: str) -> None:
        """Raises NotFound for one the principal may not hear. Uses the database."""

    async def open(self, principal: Principal, name: str, watcher: Watcher, *, html: bool) -> Subscription:
        """Open a subscription. `html`: the watcher is a web page and wants rendered blocks. Raises NotFound."""


@dataclass(frozen=True)
class Context:
    """Which session a command came from; `ref` is the frame's own."""

    session: "LiveSession"
    ref: str | None

    @property
    def principal(self) -> Principal:
        return self.session.principal


@dataclass(frozen=True)
class Command:
    """One client frame type: the shape of its data (whose docstring describes it) and what it does.

    What it returns is the data of the `result` frame; None: it has answered by itself, or there is nothing to say.
    """

    shape: type[ClientShape]
    run: Callable[[Context, Any], Awaitable[dict[str, Any] | None]]


@dataclass
class Registry:
    topics: dict[str, Topic] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)


registry = Registry()
Run = TypeVar("Run", bound=Callable[[Context, Any], Awaitable[dict[str, Any] | None]])


def command(name: str, shape: type[ClientShape]) -> Callable[[Run], Run]:
    """Register a coroutine function as what frames of this type do."""

    def register(run: Run) -> Run:
        registry.commands[name] = Command(shape, run)
        return run

    return register
