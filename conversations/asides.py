"""What a model is asked beside its replies, for example for a title: read to the end, and written into the ledger."""

import contextlib
import dataclasses
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatcore.llm import routing, tokens
from chatcore.llm.models import Model
from chatcore.llm.types import ModelRequest, ProviderError, TextDelta, Usage
from chatcore.usage.actions import Call, record
from chatcore.usage.fallbacks import stand_ins
from conversations.ledger import asker_of, tokens_of
from conversations.models import Message

if TYPE_CHECKING:
    from conversations.claims import Claim


REASONING_TOKENS = 4_000


@dataclass
class Aside:
    """One call on behalf of whoever asked for the reply, and what has come of it. No error: it went well."""

    reply: "Claim | Message"
    request: ModelRequest
    model: Model
    text: str = ""
    counts: Usage | None = None
    route: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    error: ProviderError | None = None


def briefly(model: Model, most: int) -> dict[str, Any]:
    """The parameters of a request for an answer of so many tokens. Who reasons is to do it shortly, and has room for it
    besides: what it thinks is part of what it may write.
    """
    if not reasons(model):
        return {"max_tokens": most}
    most += REASONING_TOKENS
    return {"max_tokens": min(most, model.max_output or most), "reasoning_effort": "low"}


def reasons(model: Model) -> bool:
    """As far as is known of it."""
    return model.supports_reasoning or "reasoning_effort" in model.default_params


async def ask_aside(reply: "Claim | Message", request: ModelRequest, model: Model) -> Aside:
    """Ask the model in the name of whoever asked for the reply. Give what it returns to `record_asides`, also where it
    failed.
    """
    aside = Aside(reply, request, model)
    began = time.monotonic()
    answer = routing.answer(
        model.pk,
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
    asked = {"purpose": aside.request.purpose, "model": aside.model.pk, "model_name": aside.model.name}
    return Call(
        **asker_of(aside.reply) | asked | {"message": None, "attempt": 0},
        route=aside.route,
        counts=aside.counts,
        estimates=Usage(tokens_of(aside.request), tokens.estimate(aside.text)),
        seconds=aside.seconds,
        outcome=Message.Status.FAILED if aside.error else Message.Status.DONE,
        code=aside.error.code if aside.error else "",
    )
