"""`run_reply` alone produces assistant text: request → provider stream → deltas and saves → final save and events."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models.functions import Now

from chatcore.llm import routing
from chatcore.llm.types import ProviderError
from chatcore.offload import offload
from chatcore.prepared import plans_kept
from chatcore.realtime.catalogue import EventBody
from conversations import events
from conversations.actions.receipts import count_unread
from conversations.claims import announce_replies, restart_reply
from conversations.endings import tell_completed
from conversations.enqueue import enqueue_title, wake_followers
from conversations.ledger import record_reply, tokens_of
from conversations.models import Conversation, Message
from conversations.streams import ReplyStream
from conversations.summaries import fitted_request

log = logging.getLogger(__name__)


class Stopping(Exception):
    """Somebody asked the reply to end; what was said is kept."""


class Lost(Exception):
    """The reply is another worker's; nothing of it may be written here."""


@dataclass(frozen=True)
class Outcome:
    """How a reply ended."""

    status: Message.Status
    error: dict[str, Any] | None = None

    DONE: ClassVar["Outcome"]
    STOPPED: ClassVar["Outcome"]


Outcome.DONE = Outcome(Message.Status.DONE)
Outcome.STOPPED = Outcome(Message.Status.STOPPED)


async def run_reply(stream: ReplyStream, stop: asyncio.Event) -> None:
    """Produce one claimed reply to its end. Cancelling leaves it to the sweep or to `release`."""
    route: list[dict[str, Any]] = []
    began = time.monotonic()
    try:
        await _produce(stream, stop, route)
        outcome = Outcome.DONE
    except Stopping:
        outcome = Outcome.STOPPED
    except Lost:
        return
    except ProviderError as error:
        outcome = Outcome(Message.Status.FAILED, _problem(error.code, error.words, retryable=error.retryable))
        log.warning("reply %s failed: %s", stream.claim.id, error)
    except Exception:
        log.exception("reply %s failed", stream.claim.id)
        words = "Something went wrong on this server. Try again; the error was logged."
        outcome = Outcome(Message.Status.FAILED, _problem("internal_error", words, retryable=True))
    stream.flush()
    stream.seconds = time.monotonic() - began
    await _finish_surely(stream, outcome, route)


async def _produce(stream: ReplyStream, stop: asyncio.Event, route: list[dict[str, Any]]) -> None:
    """Read the model until it ends, or until stop is set, whatever it is doing then."""
    reading = asyncio.ensure_future(_read(stream, route))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise Stopping
        await reading
    finally:
        for task in (reading, stopping):
            task.cancel()
        await asyncio.gather(reading, stopping, return_exceptions=True)


async def _read(stream: ReplyStream, route: list[dict[str, Any]]) -> None:
    request = await fitted_request(stream.claim)
    stream.tokens_read = tokens_of(request)
    if stream.claim.model_id is None:
        raise ProviderError("not_found", "the model was deleted meanwhile")
    answer = routing.answer(
        stream.claim.model_id,
        request,
        on_attempt=lambda attempt: route.append(dataclasses.asdict(attempt)),
        on_wait=stream.line.move,
        on_restart=lambda: restart(stream),
    )
    async with contextlib.aclosing(answer):
        async for event in answer:
            stream.take(event)


async def restart(stream: ReplyStream) -> None:
    """Another deployment begins anew. Raises Lost if another worker has the reply by now."""
    stream.is_restarting = True
    moving = asyncio.ensure_future(offload(restart_reply, stream.claim))
    try:
        await asyncio.shield(moving)
    finally:
        # Also for one that is stopped meanwhile: what it saves last must name the attempt that its row has.
        begun = await moving
        stream.is_restarting = False
        if begun:
            stream.begin(begun)
    if begun is None:
        raise Lost


async def _finish_surely(stream: ReplyStream, outcome: Outcome, route: list[dict[str, Any]]) -> None:
    """The final save waits for a database that is away: what was said is not lost while this worker lives."""
    pause = 0.25
    while True:
        try:
            await offload(finish_reply, stream, outcome, route)
        except DatabaseError as error:
            log.warning("reply %s cannot be saved yet (%s)", stream.claim.id, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            return


@plans_kept()
@transaction.atomic
def finish_reply(stream: ReplyStream, outcome: Outcome, route: list[dict[str, Any]]) -> bool:
    """The final, fenced save with its event; False if another worker owns the reply by now."""
    claim = stream.claim
    usage = _whole_usage(stream)
    changed = Message.objects.filter(
        id=claim.id, attempt=claim.attempt, status=Message.Status.STREAMING
    ).update(
        status=outcome.status,
        text=stream.text,
        reasoning=stream.reasoning,
        error=outcome.error,
        usage=usage,
        route=route,
        finish_reason=stream.finish_reason,
        dropped=stream.dropped,
        tool_calls=stream.calls.whole,
        finished_at=Now(),
        heartbeat_at=None,
    )
    if not changed:
        return False
    announce_replies([(claim, _ending(stream, outcome, usage))])
    count_unread(claim.conversation_id)
    wake_followers(claim.id)
    if outcome.status == Message.Status.DONE:
        drafts = Conversation.objects.filter(
            id=claim.conversation_id, title_source=Conversation.TitleSource.DRAFT
        )
        if drafts.exists():
            enqueue_title(claim.conversation_id)
    record_reply(stream, outcome.status, (outcome.error or {}).get("code", ""), route)
    if outcome.status == Message.Status.DONE:
        tell_completed(claim.id)
    return True


def _whole_usage(stream: ReplyStream) -> dict[str, Any] | None:
    """With what the parts before cost, where it was continued. One unknown part leaves the sum unknown."""
    usage = dataclasses.asdict(stream.usage) if stream.usage else None
    if not stream.claim.begun:
        return usage
    before = Message.objects.filter(id=stream.claim.id).values_list("usage", flat=True).first()
    if usage is None or before is None:
        return None
    counts = {
        name: count + before[name] if count is not None and before.get(name) is not None else None
        for name, count in usage.items()
        if name != "estimated"
    }
    return counts | {"estimated": usage["estimated"] or before.get("estimated", False)}


def _ending(stream: ReplyStream, outcome: Outcome, usage: dict[str, Any] | None) -> EventBody:
    whole = stream.claim.state | {"text": stream.text, "usage": usage}
    if outcome.status == Message.Status.DONE:
        ends = {"finish_reason": stream.finish_reason, "tool_calls": stream.calls.whole}
        return events.ReplyCompleted(**whole, **ends)
    if outcome.status == Message.Status.STOPPED:
        return events.ReplyStopped(**whole)
    return events.ReplyFailed(**whole, error=outcome.error)


def _problem(code: str, detail: str, *, retryable: bool) -> dict[str, Any]:
    return {"code": code, "detail": detail, "retryable": retryable}
