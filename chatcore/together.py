"""Work that is done for all who ask for it at this moment, instead of for one after the other.

Who comes alone waits for nobody; whoever comes while others are served waits for the next round. So what an asker is
told was always found out after it asked.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeAlias, TypeVar

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from chatcore.errors import ChatcoreError
from chatcore.offload import in_request

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

MOST_TOGETHER = 64


class Away(Protocol):
    async def __call__(self, function: Callable[[T], R], argument: T, /) -> R: ...


Work: TypeAlias = Callable[[Sequence[T]], Sequence[R | Exception]]


class Together(Generic[T, R]):
    """`await together(work, item, key)`: what `work(items)`, away from the event loop, has for this item.

    Those with the same `key` are together; their `work` must be the same. Raises what it has instead of a result.
    `away` runs it: `in_request` where requests are answered, `offload` elsewhere; for `most` of them at a time.
    Whose client goes away while it waits is not served; that of another is nobody's concern.
    """

    def __init__(self, away: Away = in_request, most: int = MOST_TOGETHER) -> None:
        self._away = away
        self._most = most
        self._waiting: dict[Hashable, deque[tuple[T, asyncio.Future[R]]]] = {}
        self._serving: set[asyncio.Task[None]] = set()

    async def __call__(self, work: Work[T, R], item: T, key: Hashable) -> R:
        loop = asyncio.get_running_loop()
        key = (loop, key)
        if key not in self._waiting:
            self._waiting[key] = deque()
            serving = loop.create_task(self._serve(work, key))
            self._serving.add(serving)
            serving.add_done_callback(self._serving.discard)
        heard: asyncio.Future[R] = loop.create_future()
        self._waiting[key].append((item, heard))
        return await heard

    async def _serve(self, work: Work[T, R], key: Hashable) -> None:
        """One round after the other. The first begins when all have come who come at this very moment: when a turn of
        the event loop has brought nobody more.
        """
        waiting = self._waiting[key]
        came = 0
        try:
            while came < len(waiting) < self._most:
                came = len(waiting)
                await asyncio.sleep(0)
            while waiting:
                together = [waiting.popleft() for _ in range(min(len(waiting), self._most))]
                staying = [(item, heard) for item, heard in together if not heard.done()]
                if staying:
                    await self._round(work, staying)
        finally:
            del self._waiting[key]
            for _, heard in waiting:
                heard.cancel()

    async def _round(self, work: Work[T, R], together: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self._away(work, [item for item, _ in together])
        except Exception as error:
            outcomes = [error] * len(together)
        except asyncio.CancelledError:
            for _, heard in together:
                heard.cancel()
            raise
        for (_, heard), outcome in zip(together, outcomes, strict=True):
            if heard.done():
                continue  # its client has gone meanwhile
            if isinstance(outcome, Exception):
                heard.set_exception(outcome)
            else:
                heard.set_result(outcome)


def or_alone(work: Callable[[Sequence[T]], Sequence[R | Exception]]) -> Work[T, R]:
    """`work` for all of them, or where that fails for each alone: what one of them brings takes no other along.

    A database that is lost is nobody's own fault, and fails for all.
    """

    def done(items: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return work(items)
        except (OperationalError, InterfaceError, PoolTimeout):
            raise
        except Exception as error:
            if len(items) == 1:
                raise
            if not isinstance(error, ChatcoreError):
                log.exception("what failed for %d at once is done for each alone", len(items))
        return [_alone(work, item) for item in items]

    return done


def _alone(work: Callable[[Sequence[T]], Sequence[R | Exception]], item: T) -> R | Exception:
    try:
        return work([item])[0]
    except Exception as error:
        return error
