"""The live sessions of this process: found again when somebody's access changes, and looked after once a second."""

import asyncio
import logging
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import Error as DatabaseError
from psycopg_pool import PoolTimeout

from chatcore.accounts.channels import Credentials, principal_of
from chatcore.errors import ChatcoreError
from chatcore.realtime.frames import Frame
from chatcore.realtime.hub import hub
from chatcore.realtime.presence import presence

if TYPE_CHECKING:
    from chatcore.realtime.sessions import LiveSession

log = logging.getLogger(__name__)

RECONNECT_WITHIN = 5.0
RECHECK_SECONDS = 60.0
ACCESS_GROUP = "control.access"

open_sessions: "set[LiveSession]" = set()


class _Keeper:
    """Rechecks whoever's access changed, wherever that happened, and everybody once a minute; keeps them alive.

    One task for all: ten thousand idle streams have no timer of their own.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._rechecking: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        await hub.join(self, ACCESS_GROUP)

    def stop(self) -> None:
        hub.leave(self, ACCESS_GROUP)
        if self._task:
            self._task.cancel()
            self._task = None  # its last words would keep the session it looked at

    def receive(self, frame: Frame) -> None:
        whose = frame.body["data"]
        concerned = [item for item in open_sessions if item.belongs_to(whose["user"], whose["integration"])]
        self._recheck(concerned)

    def _recheck(self, sessions: "list[LiveSession]") -> None:
        task = asyncio.get_running_loop().create_task(_recheck(sessions))
        self._rechecking.add(task)
        task.add_done_callback(self._rechecking.discard)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            for session in tuple(open_sessions):
                session.transport.beat(now)
            presence.beat(now)
            due = [session for session in open_sessions if now - session.checked_at >= RECHECK_SECONDS]
            if due and not self._rechecking:  # the database may be slow today; signs of life are not
                self._recheck(due)


_keeper = _Keeper()


async def opened(session: "LiveSession") -> None:
    session.checked_at = asyncio.get_running_loop().time()
    open_sessions.add(session)
    presence.opened(session)
    if len(open_sessions) == 1:
        await _keeper.start()


def closed(session: "LiveSession") -> None:
    """Safe to repeat."""
    if session in open_sessions:
        open_sessions.discard(session)
        presence.closed(session)
        if not open_sessions:
            _keeper.stop()


async def _recheck(sessions: "Iterable[LiveSession]") -> None:
    """Look up each credential once, however many connections it holds open."""
    sharing: dict[Credentials, list[LiveSession]] = defaultdict(list)
    for session in sessions:
        sharing[session.credentials].append(session)
    for held in sharing.values():
        try:
            principal = await principal_of(held[0].scope)
        except ChatcoreError:
            principal = None
        except (DatabaseError, PoolTimeout) as error:
            log.warning("access cannot be checked now (%s); trying again", error)
            continue
        for session in held:
            session.checked_at = asyncio.get_running_loop().time()
            try:
                await session.admit(principal)
            except (DatabaseError, PoolTimeout):
                pass
            except Exception:  # nobody else's access shall depend on it
                log.exception("a connection could not be checked")


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
            session.say_goodbye(random.uniform(0, RECONNECT_WITHIN))  # noqa: S311
            for session in tuple(open_sessions)
        ),
        return_exceptions=True,
    )
