"""Work that is done for all who ask for it at this moment, instead of for one after the other.

Who comes alone waits for nobody. Whoever finds nobody at work works, for all that wait; then the next one does. So
what an asker is told was always found out after it asked.
"""

import asyncio
import enum
import logging
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from chatcore.errors import ChatcoreError
from chatcore.offload import in_request

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

MOST_TOGETHER = 50


class _Turn(Enum):
    """Not to be taken for anything that may come of an item."""

    YOURS = enum.auto()


@dataclass(eq=False)
class _Waiting(Generic[T, R]):
    """`heard` is what came of the item, or that it is its turn to work."""

    item: T
    heard: "asyncio.Future[R | Exception | _Turn]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(eq=False)
class _Line(Generic[T, R]):
    """Those who wait for the same, in the order in which they came."""

    waiting: deque[_Waiting[T, R]] = field(default_factory=deque)
    is_working: bool = False


class Away(Protocol):
    async def __call__(self, function: Callable[[T], R], argument: T, /) -> R: ...


Work: TypeAlias = Callable[[Sequence[T]], Sequence[R | Exception]]


class Together(Generic[T, R]):
    """`await together(work, item, key)`: what `work(items)`, away from the event loop, has for this item.

    Those with the same `key` are together; their `work` must be the same. Raises what it has instead of a result.
    `away` runs it: `in_request` where requests are answered, `offload` elsewhere; for `most` of them at a time.
    """

    def __init__(self, away: Away = in_request, most: int = MOST_TOGETHER) -> None:
        self._away = away
        self._most = most
        self._lines: dict[Hashable, _Line[T, R]] = {}

    async def __call__(self, work: Work[T, R], item: T, key: Hashable) -> R:
        key = (asyncio.get_running_loop(), key)
        line = self._lines.setdefault(key, _Line())
        mine: _Waiting[T, R] = _Waiting(item)
        line.waiting.append(mine)
        outcome = await self._heard(key, line, mine) if line.is_working else _Turn.YOURS
        if outcome is _Turn.YOURS:
            outcome = await self._work(work, key, line, mine)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _heard(self, key: Hashable, line: _Line[T, R], mine: _Waiting[T, R]) -> R | Exception | _Turn:
        try:
            return await mine.heard
        except asyncio.CancelledError:
            if not mine.heard.cancelled() and mine.heard.done() and mine.heard.result() is _Turn.YOURS:
                line.waiting.remove(mine)
                self._pass_on(key, line)  # its client has gone at the very moment of its turn
            raise

    async def _work(
        self, work: Work[T, R], key: Hashable, line: _Line[T, R], mine: _Waiting[T, R]
    ) -> R | Exception:
        """For everybody who waits. That this one's client goes away meanwhile changes nothing for the others."""
        line.is_working = True
        together = [line.waiting.popleft() for _ in range(min(len(line.waiting), self._most))]
        mine.heard = asyncio.get_running_loop().create_future()
        working = asyncio.ensure_future(self._away(work, [each.item for each in together]))
        working.add_done_callback(partial(self._tell, key, line, together))
        await asyncio.wait([working])
        return working.result()[together.index(mine)]

    def _tell(
        self,
        key: Hashable,
        line: _Line[T, R],
        together: Sequence[_Waiting[T, R]],
        working: "asyncio.Future[Sequence[R | Exception]]",
    ) -> None:
        failed = asyncio.CancelledError() if working.cancelled() else working.exception()
        for place, each in enumerate(together):
            if each.heard.done():
                continue
            if failed is not None:
                each.heard.set_exception(failed)
                each.heard.exception()  # whoever works is told by its own task
            else:
                each.heard.set_result(working.result()[place])
        self._pass_on(key, line)

    def _pass_on(self, key: Hashable, line: _Line[T, R]) -> None:
        line.is_working = False
        while line.waiting and line.waiting[0].heard.done():
            line.waiting.popleft()  # its client has gone before it was anybody's turn
        if line.waiting:
            line.is_working = True
            line.waiting[0].heard.set_result(_Turn.YOURS)
        else:
            self._lines.pop(key, None)


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
