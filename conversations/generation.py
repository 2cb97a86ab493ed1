"""`run_reply` alone produces assistant text: request → provider stream → deltas and saves → final save and events."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from typing import Any

from django.db import Error as DatabaseError

from chatcore.errors import NotFound
from chatcore.llm import routing
from chatcore.llm.types import ModelRequest, ProviderError
from chatcore.offload import offload
from chatcore.usage.fallbacks import stand_ins
from conversations.claims import restart_reply
from conversations.errors import AskerGone
from conversations.finishing import Ending, Outcome, finish
from conversations.ledger import tokens_of
from conversations.models import Message
from conversations.streams import ReplyStream
from conversations.summaries import fitted_request, shortened_request

log = logging.getLogger(__name__)


class Stopping(Exception):
    """Somebody asked the reply to end; what was said is kept."""


class Lost(Exception):
    """The reply is another worker's; nothing of it may be written here."""


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
    except AskerGone as error:
        outcome = Outcome(Message.Status.FAILED, _problem(error.code, error.detail, retryable=False))
    except ProviderError as error:
        outcome = Outcome(Message.Status.FAILED, _problem(error.code, error.words, retryable=error.retryable))
        log.warning("reply %s failed: %s", stream.claim.id, error)
    except Exception:
        log.exception("reply %s failed", stream.claim.id)
        words = "Something went wrong on this server. Try again; the error was logged."
        outcome = Outcome(Message.Status.FAILED, _problem("internal_error", words, retryable=True))
    stream.close()
    stream.seconds = time.monotonic() - began
    await _finish_surely(Ending(stream, outcome, route))


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
    """A model that finds the request too long is asked once more, with half of it."""
    try:
        request = await fitted_request(stream.claim)
        try:
            await _ask(stream, request, route)
        except ProviderError as error:
            if error.code != "context_too_long" or error.started:
                raise
            shorter = await shortened_request(stream.claim, request)
            if shorter is None:
                raise
            await _ask(stream, shorter, route)
    except NotFound:
        raise Lost from None


async def _ask(stream: ReplyStream, request: ModelRequest, route: list[dict[str, Any]]) -> None:
    stream.tokens_read = tokens_of(request)
    if stream.claim.model_id is None:
        raise ProviderError("not_found", "the model was deleted meanwhile")
    answer = routing.answer(
        stream.claim.model_id,
        request,
        on_attempt=lambda attempt: route.append(dataclasses.asdict(attempt)),
        on_wait=stream.line.move,
        on_restart=lambda: restart(stream),
        stand_ins=stand_ins(stream.claim.workspace_id, stream.claim.user_id, stream.claim.integration_id),
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


async def _finish_surely(ending: Ending) -> None:
    """The final save waits for a database that is away: what was said is not lost while this worker lives."""
    pause = 0.25
    while True:
        try:
            await finish(ending)
        except DatabaseError as error:
            log.warning("reply %s cannot be saved yet (%s)", ending.claim.id, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            return


def _problem(code: str, detail: str, *, retryable: bool) -> dict[str, Any]:
    return {"code": code, "detail": detail, "retryable": retryable}
