"""The open live connections of this process: found again when somebody's access changes or the process stops."""

import asyncio
import random
import uuid
from typing import Any, Protocol

from chatcore.realtime.frames import Frame
from chatcore.realtime.hub import hub

RECONNECT_WITHIN = 5.0


class Connection(Protocol):
    def belongs_to(self, user: str | None, integration: str | None) -> bool:
        """Whether the user or the integration of this id opened it."""

    async def recheck(self) -> None:
        """Look up the principal again; close if it may no longer be here."""

    async def say_goodbye(self, reconnect_after: float) -> None:
        """Tell the client to come back after so many seconds, finish what waits, and close."""


open_connections: set[Connection] = set()
ACCESS_GROUP = "control.access"


class _AccessWatcher:
    """Rechecks the connections of whoever's access changed, wherever that happened."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def receive(self, frame: Frame) -> None:
        whose = frame.body["data"]
        for connection in tuple(open_connections):
            if not connection.belongs_to(whose["user"], whose["integration"]):
                continue
            task = asyncio.get_running_loop().create_task(connection.recheck())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


_access_watcher = _AccessWatcher()


async def opened(connection: Connection) -> None:
    if not open_connections:
        await hub.join(_access_watcher, ACCESS_GROUP)
    open_connections.add(connection)


def closed(connection: Connection) -> None:
    open_connections.discard(connection)
    if not open_connections:
        hub.leave(_access_watcher, ACCESS_GROUP)


def access_changed(
    user_id: uuid.UUID | None = None, integration_id: uuid.UUID | None = None, **_: Any
) -> None:
    """Receiver of the accounts' signal: permission is looked up anew in every process, now."""
    whose = {"user": str(user_id), "integration": str(integration_id)}
    hub.publish([ACCESS_GROUP], {"type": "access.changed", "data": whose})


async def close_all() -> None:
    """The server stops: every client comes back at a moment of its own within five seconds."""
    await asyncio.gather(
        *(
            connection.say_goodbye(random.uniform(0, RECONNECT_WITHIN))  # noqa: S311
            for connection in tuple(open_connections)
        ),
        return_exceptions=True,
    )
