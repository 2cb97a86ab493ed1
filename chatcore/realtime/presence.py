"""Who is there: online, away or offline, from the open sessions of every process. Nothing of it touches the database.

Each process knows its own sessions; what they add up to stands in Redis (in memory without it) under a time to live,
so that a killed process's people leave with it.
"""

import asyncio
import contextlib
import itertools
import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import redis.asyncio
from django.conf import settings

from chatcore.realtime.hub import hub

if TYPE_CHECKING:
    from chatcore.realtime.sessions import LiveSession

log = logging.getLogger(__name__)

State = Literal["online", "away", "offline"]
RANK: dict[str, int] = {"offline": 0, "away": 1, "online": 2}
PAUSE_SECONDS = 5.0  # between two announcements about one author; also how long a page may take to reload
REFRESH_SECONDS = 10.0
KEPT_SECONDS = 30
REDIS_TIMEOUT = 2.0
BATCH = 200  # authors in one exchange with Redis: neither a connection each nor a loop that stands still

# KEYS[1]: a hash of process -> "state|until"; ARGV: process, state ("offline" takes it out), seconds to keep.
# Returns what all processes add up to, if that is not what was announced last; else nothing. Redis's clock rules.
_PUT = """
local now = tonumber(redis.call('TIME')[1])
if ARGV[2] == 'offline' then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '|' .. (now + ARGV[3])) end
local best, shown, rank = 'offline', 'offline', {offline = 0, away = 1, online = 2}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] == 'shown' then shown = all[i + 1] else
    local state, untilwhen = string.match(all[i + 1], '(%a+)|(%d+)')
    if tonumber(untilwhen) < now then redis.call('HDEL', KEYS[1], all[i])
    elseif rank[state] > rank[best] then best = state end
  end
end
redis.call('HSET', KEYS[1], 'shown', best)
redis.call('EXPIRE', KEYS[1], ARGV[3] * 2)
if best ~= shown then return best end
return false
"""


def presence_group(author: str) -> str:
    """The hub group that hears when the author comes or goes."""
    return f"presence.{author}"


class Presence:
    """The sessions of this process, by author."""

    def __init__(self) -> None:
        self._sessions: dict[str, set[LiveSession]] = {}
        self._process = uuid.uuid4().hex[:12]
        self._shown: dict[str, str] = {}
        self._due: dict[str, asyncio.TimerHandle] = {}
        self._told_at: dict[str, float] = {}
        self._waiting: dict[str, None] = {}
        self._settling: asyncio.Task[None] | None = None
        self._refreshed_at = 0.0
        self._client: redis.asyncio.Redis | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- What the sessions say ---------------------------------------------------------------------------------

    def opened(self, session: "LiveSession") -> None:
        author = session.principal.author
        self._sessions.setdefault(author, set()).add(session)
        self._look(author, 0.0)

    def closed(self, session: "LiveSession") -> None:
        author = session.principal.author
        if sessions := self._sessions.get(author):
            sessions.discard(session)
            if not sessions:
                del self._sessions[author]
            self._look(author, PAUSE_SECONDS)

    def wish(self, session: "LiveSession", state: Literal["online", "away"]) -> None:
        if session.wish != state:
            session.wish = state
            self._look(session.principal.author, 0.0)

    def beat(self, now: float) -> None:
        """Once a second: keep what we said in Redis from running out."""
        if settings.REDIS_URL and now - self._refreshed_at >= REFRESH_SECONDS:
            self._refreshed_at = now
            for author in self._sessions:
                self._look(author, 0.0)

    # --- What is made of it ------------------------------------------------------------------------------------

    def _look(self, author: str, wait: float) -> None:
        """Look soon what the author's state is now, and tell it if it has changed; never twice in five seconds."""
        loop = asyncio.get_running_loop()
        told_at = self._told_at.get(author)
        if told_at is not None:
            wait = max(wait, told_at + PAUSE_SECONDS - loop.time())
        if author in self._due:
            return
        if wait > 0:
            self._due[author] = loop.call_later(wait, self._start, author)
        else:
            self._start(author)

    def _start(self, author: str) -> None:
        self._due.pop(author, None)
        self._waiting[author] = None
        if self._settling is None or self._settling.done():
            self._settling = asyncio.get_running_loop().create_task(self._settle())

    async def _settle(self) -> None:
        """All that wait, so many at a time; whoever comes meanwhile is taken along."""
        loop = asyncio.get_running_loop()
        while authors := list(itertools.islice(self._waiting, BATCH)):
            for author in authors:
                del self._waiting[author]
            changed = await self._put({author: self._local(author) for author in authors})
            for author, state in changed.items():
                self._told_at[author] = loop.time()
                body = {"type": "presence", "data": {"author": author, "state": state}}
                hub.publish([presence_group(author)], body)
            for author in authors:
                if author in self._told_at and author not in self._sessions:
                    loop.call_later(PAUSE_SECONDS, self._told_at.pop, author, None)

    def _local(self, author: str) -> str:
        wishes = [session.wish for session in self._sessions.get(author, ())]
        return max(wishes, key=RANK.__getitem__, default="offline")

    # --- Where it stands ---------------------------------------------------------------------------------------

    async def _put(self, states: dict[str, str]) -> dict[str, str]:
        """What the state of these authors is now, of those for whom it is not what was told last."""
        if not settings.REDIS_URL:
            return self._put_here(states)
        try:
            async with asyncio.timeout(REDIS_TIMEOUT), self._redis().pipeline(transaction=False) as pipe:
                for author, state in states.items():
                    pipe.eval(_PUT, 1, _key(author), self._process, state, KEPT_SECONDS)
                changed: list[bytes | None] = await pipe.execute()
        except (redis.RedisError, TimeoutError, OSError) as error:
            log.warning("Redis does not say who is there (%s)", error)
            return {}
        return {author: new.decode() for author, new in zip(states, changed, strict=True) if new}

    def _put_here(self, states: dict[str, str]) -> dict[str, str]:
        changed = {
            author: state for author, state in states.items() if state != self._shown.get(author, "offline")
        }
        for author, state in changed.items():
            self._shown[author] = state
            if state == "offline":
                del self._shown[author]
        return changed

    async def states(self, authors: Sequence[str]) -> dict[str, State]:
        """Each author's state over all processes; offline where nothing is known."""
        if not settings.REDIS_URL:
            return {author: self._shown.get(author, "offline") for author in authors}  # type: ignore[misc]
        try:
            async with asyncio.timeout(REDIS_TIMEOUT), self._redis().pipeline(transaction=False) as pipe:
                pipe.time()
                for author in authors:
                    pipe.hgetall(_key(author))
                (now, _), *found = await pipe.execute()
        except (redis.RedisError, TimeoutError, OSError) as error:
            log.warning("Redis does not say who is there (%s)", error)
            return dict.fromkeys(authors, "offline")
        return {author: _best(fields.items(), now) for author, fields in zip(authors, found, strict=True)}

    def _redis(self) -> "redis.asyncio.Redis":
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = redis.asyncio.Redis.from_url(settings.REDIS_URL), loop
        return self._client

    async def stop(self) -> None:
        """Take back what this process said; Redis has two seconds for it."""
        authors = [*{*self._sessions, *self._due, *self._waiting}]
        self._sessions.clear()
        for due in self._due.values():
            due.cancel()
        self._due.clear()
        self._waiting.clear()
        if self._settling:
            await asyncio.wait([self._settling], timeout=REDIS_TIMEOUT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REDIS_TIMEOUT):
                for start in range(0, len(authors), BATCH):
                    await self._put(dict.fromkeys(authors[start : start + BATCH], "offline"))
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _key(author: str) -> str:
    return f"{settings.REDIS_PREFIX}:presence:{author}"


def _best(fields: Iterable[tuple[bytes, bytes]], now: int) -> State:
    states: list[State] = ["offline"]
    for name, value in fields:
        state, _, until = value.decode().partition("|")
        if name != b"shown" and int(until) >= now:
            states.append(state)  # type: ignore[arg-type]
    return max(states, key=RANK.__getitem__)


presence = Presence()
