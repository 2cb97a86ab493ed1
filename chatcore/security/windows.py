"""Counting in windows of time: in Redis where it is configured, so that all processes count together, else in memory.

A window of a subject begins at a moment of its own within the minute, so that those who wait do not all come back at
once. When it ends is known without asking, which makes Retry-After exact.
"""

import contextlib
import functools
import logging
import math
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from limits.storage import MemoryStorage, RedisStorage
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)
R = TypeVar("R")

STORE_SECONDS = 0.25  # a request does not wait longer for the store
PAUSE_SECONDS = 5.0  # a store that failed is not asked again for so long
_UNLOCKED = contextlib.nullcontext()


class StoreDown(Exception):
    """Redis cannot be asked now."""


@dataclass(frozen=True)
class Window:
    """`quota` units in `seconds` for one subject; `name` is what clients read."""

    name: str
    subject: str
    quota: int
    seconds: int = 60

    def key(self, now: float) -> str:
        return f"{self.name}:{self.subject}:{int(now + self._shift) // self.seconds}"

    def resets_in(self, now: float) -> int:
        """Whole seconds, never too few."""
        return math.ceil(self.seconds - (now + self._shift) % self.seconds) or self.seconds

    @property
    def _shift(self) -> int:
        return zlib.crc32(self.subject.encode()) % self.seconds


@dataclass(frozen=True)
class Standing:
    """What is left of a window after it was charged, or was asked to be and refused."""

    window: Window
    remaining: int
    resets_in: int
    refused: bool = False


class Counters:
    """One store of counts. `take` and `give_back` raise what the store raises."""

    def __init__(self, storage: MemoryStorage | RedisStorage) -> None:
        self._storage = storage
        self._lock = threading.Lock()

    def take(self, windows: Sequence[Window], cost: int, now: float) -> list[Standing]:
        """Charge all of them or, if one has too little left and refuses, none."""
        with self._lock if isinstance(self._storage, MemoryStorage) else _UNLOCKED:
            taken = [self._storage.incr(each.key(now), 2 * each.seconds, cost) for each in windows]
            refused = [count > each.quota for each, count in zip(windows, taken, strict=True)]
            if any(refused):
                self.give_back(windows, cost, now)
                taken = [count - cost for count in taken]
        return [
            Standing(each, max(each.quota - count, 0), each.resets_in(now), full)
            for each, count, full in zip(windows, taken, refused, strict=True)
        ]

    def give_back(self, windows: Sequence[Window], cost: int, now: float) -> None:
        for each in windows:
            self._storage.incr(each.key(now), 2 * each.seconds, -cost)

    def left(self, window: Window, now: float) -> Standing:
        remaining = max(window.quota - self._storage.get(window.key(now)), 0)
        return Standing(window, remaining, window.resets_in(now))

    def take_moving(self, wanted: Sequence[tuple[Window, int]], now: float) -> list[tuple[int, int]]:
        """As many units as each window that moves with the time still has, in one question to the store.

        Of each how many were taken, and the seconds until there is one more.
        """
        if isinstance(self._storage, RedisStorage):
            return self._take_moving_shared(self._storage, wanted, now)
        with self._lock:
            return [self._take_moving_here(window, units, now) for window, units in wanted]

    def take_whole(self, wanted: Sequence[tuple[Window, int]], now: float) -> int:
        """All units of all windows that move with the time, or none; of more than a window has, it is all it has.

        Zero, or the seconds until they may be taken.
        """
        if isinstance(self._storage, RedisStorage):
            return self._take_whole_shared(self._storage, wanted, now)
        with self._lock:
            wait = max((self._wait_here(window, units, now) for window, units in wanted), default=0)
            if not wait:
                for window, units in wanted:
                    taken = min(units, window.quota)
                    self._storage.acquire_entry(_moving(window), window.quota, window.seconds, taken)
            return wait

    def _wait_here(self, window: Window, units: int, now: float) -> int:
        """The seconds until so many are free; zero if they are."""
        assert isinstance(self._storage, MemoryStorage)
        name, quota, seconds = _moving(window), window.quota, window.seconds
        _, used = self._storage.get_moving_window(name, quota, seconds)
        missing = min(units, quota) - (quota - used)
        return _wait_for(self._storage.events[name][used - missing].atime, seconds, now) if missing > 0 else 0

    def _take_whole_shared(
        self, storage: RedisStorage, wanted: Sequence[tuple[Window, int]], now: float
    ) -> int:
        keys, values = _asked(storage, wanted)
        wait = storage.storage.register_script(_TAKE_WHOLE)(keys=keys, args=[now, *values])
        return math.ceil(float(wait))

    def _take_moving_here(self, window: Window, units: int, now: float) -> tuple[int, int]:
        name, quota, seconds = _moving(window), window.quota, window.seconds
        taken = 0
        while taken < min(units, quota) and self._storage.acquire_entry(name, quota, seconds):
            taken += 1
        oldest, _ = self._storage.get_moving_window(name, quota, seconds)
        return taken, _wait_for(oldest, seconds, now)

    def _take_moving_shared(
        self, storage: RedisStorage, wanted: Sequence[tuple[Window, int]], now: float
    ) -> list[tuple[int, int]]:
        keys, values = _asked(storage, wanted)
        found = storage.storage.register_script(_TAKE_MOVING)(keys=keys, args=[now, *values])
        pairs = zip(wanted, found, strict=True)
        return [
            (int(taken), _wait_for(float(oldest), each.seconds, now)) for (each, _), (taken, oldest) in pairs
        ]


def _moving(window: Window) -> str:
    return f"moving:{window.name}:{window.subject}"


def _asked(storage: RedisStorage, wanted: Sequence[tuple[Window, int]]) -> tuple[list[str], list[int]]:
    """The keys and the arguments of a script."""
    keys = [storage.prefixed_key(_moving(window)) for window, _ in wanted]
    return keys, [part for window, units in wanted for part in (units, window.quota, window.seconds)]


def _wait_for(oldest: float, seconds: int, now: float) -> int:
    return max(math.ceil(oldest + seconds - now), 1)


# Each list holds when its units were taken, the newest first.
_TAKE_MOVING = """
local now, found = tonumber(ARGV[1]), {}
for place, key in ipairs(KEYS) do
    local units, quota = tonumber(ARGV[3 * place - 1]), tonumber(ARGV[3 * place])
    local seconds = tonumber(ARGV[3 * place + 1])
    local oldest = redis.call('lindex', key, -1)
    while oldest and tonumber(oldest) <= now - seconds do
        redis.call('rpop', key)
        oldest = redis.call('lindex', key, -1)
    end
    local taken = math.max(math.min(units, quota - redis.call('llen', key)), 0)
    for _ = 1, taken do
        redis.call('lpush', key, ARGV[1])
    end
    redis.call('expire', key, seconds + 1)
    found[place] = {taken, oldest or ARGV[1]}
end
return found
"""

# The same lists. What was taken at one moment becomes free at one moment.
_TAKE_WHOLE = """
local now, wait = tonumber(ARGV[1]), 0
for place, key in ipairs(KEYS) do
    local quota, seconds = tonumber(ARGV[3 * place]), tonumber(ARGV[3 * place + 1])
    local units = math.min(tonumber(ARGV[3 * place - 1]), quota)
    local oldest = redis.call('lindex', key, -1)
    while oldest and tonumber(oldest) <= now - seconds do
        redis.call('rpop', key)
        oldest = redis.call('lindex', key, -1)
    end
    local missing = units - (quota - redis.call('llen', key))
    if missing > 0 then
        wait = math.max(wait, tonumber(redis.call('lindex', key, -missing)) + seconds - now)
    end
end
if wait > 0 then
    return tostring(wait)
end
for place, key in ipairs(KEYS) do
    local quota, seconds = tonumber(ARGV[3 * place]), tonumber(ARGV[3 * place + 1])
    for _ = 1, math.min(tonumber(ARGV[3 * place - 1]), quota) do
        redis.call('lpush', key, ARGV[1])
    end
    redis.call('expire', key, seconds + 1)
end
return '0'
"""


@functools.cache
def local() -> Counters:
    """This process's own."""
    return Counters(MemoryStorage())


class _Shared:
    """All processes' counts, and for how long they are not asked after a failure."""

    def __init__(self, url: str) -> None:
        retry: Any = Retry(NoBackoff(), 0)
        self._storage = RedisStorage(
            url,
            key_prefix=f"{settings.REDIS_PREFIX}:rates",
            socket_timeout=STORE_SECONDS,
            socket_connect_timeout=STORE_SECONDS,
            retry=retry,
        )
        self.counters = Counters(self._storage)
        self._away_until = 0.0

    def ask(self, call: Callable[[Counters], R]) -> R:
        if time.monotonic() < self._away_until:
            raise StoreDown
        try:
            return call(self.counters)
        except RedisError as error:
            self._away_until = time.monotonic() + PAUSE_SECONDS
            log.warning("the counters of requests cannot be reached: %s", error)
            raise StoreDown from None

    def close(self) -> None:
        self._storage.storage.close()


_stores: dict[str, _Shared] = {}
_opening = threading.Lock()


def _shared(url: str) -> _Shared:
    with _opening:
        if url not in _stores:
            _stores[url] = _Shared(url)
        return _stores[url]


def is_local() -> bool:
    """Whether counting waits for nobody, so that the event loop may do it."""
    return not settings.REDIS_URL


def ask(call: Callable[[Counters], R]) -> R:
    """Call with the counters that all processes share. Raises StoreDown."""
    return _shared(settings.REDIS_URL).ask(call) if settings.REDIS_URL else call(local())


def forget() -> None:
    """Start anew: nothing is counted, no connection is open."""
    with _opening:
        for store in _stores.values():
            store.close()
        _stores.clear()
    local.cache_clear()
