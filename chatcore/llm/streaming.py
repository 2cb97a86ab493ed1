"""The guard around every provider's stream: time limits, a proper end, one kind of error, always closed."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from django.conf import settings

from chatcore.llm.errors import ProviderError
from chatcore.llm.types import Finished, ModelEvent, Usage

logger = logging.getLogger(__name__)
CLOSE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: until the first event, between two events, and for the whole answer."""

    first: float
    between: float
    total: float


def configured_timeouts() -> Timeouts:
    return Timeouts(
        first=settings.MODEL_FIRST_TOKEN_TIMEOUT,
        between=settings.MODEL_TOKEN_TIMEOUT,
        total=settings.MODEL_TOTAL_TIMEOUT,
    )


async def guarded(stream: AsyncIterator[ModelEvent], timeouts: Timeouts) -> AsyncGenerator[ModelEvent, None]:
    """The events of `stream`: content, then Usage if there is any, then Finished. Anything else raises
    ProviderError.

    Only the provider's time counts: a slow reader of these events never makes them time out. Close this
    generator (`contextlib.aclosing`) to stop the provider; leaving the loop alone is not enough.
    """
    watch = _Watch(timeouts)
    content = False
    usage: Usage | None = None
    try:
        while True:
            event = await _event(stream, watch)
            if event is None:
                raise ProviderError("cut_off", "the stream ended without Finished")
            if isinstance(event, Usage):
                usage = event
            elif isinstance(event, Finished):
                if not content:
                    raise _nothing(event)
                if usage:
                    yield usage
                yield event
                return
            else:
                content = True
                yield event
    finally:
        watch.stop()
        await _close(stream)


async def _event(stream: AsyncIterator[ModelEvent], watch: "_Watch") -> ModelEvent | None:
    """The next event, None at the end of the stream."""
    watch.start_waiting()
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None
    except ProviderError:
        raise
    except Exception as error:
        logger.exception("a provider's stream failed")
        raise ProviderError("unavailable", f"{type(error).__name__}: {error}") from error
    finally:
        # Whatever the provider made of our cancellation: the time was up.
        if watch.stop_waiting():
            raise ProviderError("timeout", watch.why) from None


def _nothing(event: Finished) -> ProviderError:
    if event.reason == "content_filter":
        return ProviderError("content_filter", "stopped before the first word")
    return ProviderError("empty", f"finished ({event.reason}) without text, reasoning or tool call")


async def _close(stream: AsyncIterator[ModelEvent]) -> None:
    close = getattr(stream, "aclose", None)
    if close is None:
        return
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await close()
    except Exception:
        # The answer is what counts, and it is complete or its failure is already on the way.
        logger.exception("a provider's stream could not be closed")


class _Watch:
    """One timer per stream. Re-arming a timer for every event would cost more than reading the event.

    The timer looks now and then whether the current wait has lasted too long; then it cancels the task.
    """

    __slots__ = (
        "_answered",
        "_cancelling",
        "_due",
        "_end",
        "_limit",
        "_loop",
        "_task",
        "_timeouts",
        "_timer",
        "why",
    )

    def __init__(self, timeouts: Timeouts) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeouts = timeouts
        self._limit = timeouts.first
        self._answered = False
        now = self._loop.time()
        self._end = now + timeouts.total
        self._due = now + timeouts.first
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.why = ""
        self._timer = self._look_again(now)

    def start_waiting(self) -> None:
        self._due = self._loop.time() + self._limit
        self._task = task = asyncio.current_task(self._loop)
        self._cancelling = task.cancelling() if task else 0

    def stop_waiting(self) -> bool:
        """True when the wait lasted too long and nobody else cancelled the task meanwhile."""
        task, self._task = self._task, None
        self._limit = self._timeouts.between
        self._answered = True
        return bool(self.why) and task is not None and task.uncancel() <= self._cancelling

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if self._task is None or now < min(self._due, self._end):
            self._timer = self._look_again(now)
        else:
            self.why = self._explanation(now)
            self._task.cancel()

    def _look_again(self, now: float) -> asyncio.TimerHandle:
        """Not later than the shortest wait that may begin meanwhile would be over."""
        soonest = min(self._timeouts.first, self._timeouts.between)
        due = [when for when in (self._due, self._end) if when > now]
        return self._loop.call_at(min(now + soonest, *due), self._look)

    def _explanation(self, now: float) -> str:
        if now >= self._end:
            return f"not finished within {self._timeouts.total:g} s"
        what = "nothing more" if self._answered else "no answer"
        return f"{what} for {self._limit:g} s"
