"""What a model is asked beside its replies, for example for a title: read to the end, and written into the ledger."""

import contextlib
import dataclasses
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatcore.llm import routing
from chatcore.llm.types import ModelRequest, ProviderError, TextDelta, Usage
from chatcore.usage import tokens
from chatcore.usage.actions import Call, record
from chatcore.usage.fallbacks import stand_ins
from conversations.ledger import asker_of, tokens_of
from conversations.models import Message

if TYPE_CHECKING:
    from conversations.claims import Claim


@dataclass
class Aside:
    """One call on behalf of whoever asked for the reply, and what has come of it. No error: it went well."""

    reply: "Claim | Message"
    request: ModelRequest
    text: str = ""
    counts: Usage | None = None
    route: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    error: ProviderError | None = None


async def ask_aside(reply: "Claim | Message", request: ModelRequest) -> Aside:
    """Ask the reply's model. Give what it returns to `record_asides`, also where it failed."""
    assert reply.model_id is not None
    aside = Aside(reply, request)
    began = time.monotonic()
    answer = routing.answer(
        reply.model_id,
        request,
        on_attempt=lambda attempt: aside.route.append(dataclasses.asdict(attempt)),
        stand_ins=stand_ins(reply.workspace_id, reply.user_id, reply.integration_id),
    )
    try:
        async with contextlib.aclosing(answer):
            async for event in answer:
                if isinstance(event, TextDelta):
                    aside.text += event.text
                elif isinstance(event, Usage):
                    aside.counts = event
    except ProviderError as error:
        aside.error = error
    aside.seconds = time.monotonic() - began
    return aside


def record_asides(*asides: Aside) -> None:
    """Last in the transaction that saves what they were for. Where nobody could be asked, nothing was called."""
    calls = [(aside, _call(aside)) for aside in asides]
    record(*(call for aside, call in calls if call.was_made or not aside.error))


def _call(aside: Aside) -> Call:
    return Call(
        **asker_of(aside.reply) | {"purpose": aside.request.purpose, "message": None, "attempt": 0},
        route=aside.route,
        counts=aside.counts,
        estimates=Usage(tokens_of(aside.request), tokens.estimate(aside.text)),
        seconds=aside.seconds,
        outcome=Message.Status.FAILED if aside.error else Message.Status.DONE,
        code=aside.error.code if aside.error else "",
    )
