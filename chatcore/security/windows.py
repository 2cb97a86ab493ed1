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

    def take_moving(self, window: Window, now: float) -> int:
        """One unit of a window that moves with the time. 0, or the seconds until there is one."""
        key = f"{window.name}:{window.subject}"
        with self._lock if isinstance(self._storage, MemoryStorage) else _UNLOCKED:
            if self._storage.acquire_entry(key, window.quota, window.seconds):
                return 0
            oldest, _ = self._storage.get_moving_window(key, window.quota, window.seconds)
        return max(math.ceil(oldest + window.seconds - now), 1)


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
