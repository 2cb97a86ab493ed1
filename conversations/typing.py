"""Who is writing: a signal to whoever looks at the conversation, never a row."""

import asyncio
import uuid

from chatcore.accounts.principals import Principal
from chatcore.realtime.frames import signal
from chatcore.realtime.hub import hub
from conversations.events import Typing

PAUSE_SECONDS = 2.0
EXPIRES_SECONDS = 6.0


class _Typists:
    """Whom this process has announced as writing, and when that runs out unless it is said again."""

    def __init__(self) -> None:
        self._said_at: dict[tuple[str, uuid.UUID], float] = {}
        self._ends: dict[tuple[str, uuid.UUID], asyncio.TimerHandle] = {}

    def is_new(self, author: str, conversation: uuid.UUID) -> bool:
        said_at = self._said_at.get((author, conversation))
        return said_at is None or asyncio.get_running_loop().time() - said_at >= PAUSE_SECONDS

    def begin(self, author: str, name: str, conversation: uuid.UUID) -> None:
        loop = asyncio.get_running_loop()
        who = (author, conversation)
        if ending := self._ends.pop(who, None):
            ending.cancel()
        self._said_at[who] = loop.time()
        self._ends[who] = loop.call_later(EXPIRES_SECONDS, self.end, author, name, conversation)
        _tell(author, name, conversation, on=True)

    def end(self, author: str, name: str, conversation: uuid.UUID) -> None:
        ending = self._ends.pop((author, conversation), None)
        self._said_at.pop((author, conversation), None)
        if ending is not None:
            ending.cancel()
            _tell(author, name, conversation, on=False)


_typists = _Typists()


def is_news(principal: Principal, conversation: uuid.UUID, *, on: bool) -> bool:
    """Whether saying it now would tell anybody anything."""
    return not on or _typists.is_new(principal.author, conversation)


def say_typing(principal: Principal, conversation: uuid.UUID, *, on: bool) -> None:
    """Tell the conversation that the principal is writing, at most once in two seconds, or that it has stopped.

    Whoever says nothing for six seconds has stopped. The caller has checked permission. Call it on the event loop.
    """
    if not is_news(principal, conversation, on=on):
        return
    author, name = principal.author, principal.author_name
    if on:
        _typists.begin(author, name, conversation)
    else:
        _typists.end(author, name, conversation)


def _tell(author: str, name: str, conversation: uuid.UUID, *, on: bool) -> None:
    body = Typing(author=author, name=name, on=on)
    hub.publish([f"conversation.{conversation}"], signal(body, str(conversation)))
