"""Branches that have outgrown their model's window: the oldest turns are summarised once, by the model itself."""

import logging
from collections.abc import Iterator, Sequence

from django.db import transaction

from chatcore.accounts.principals import SYSTEM
from chatcore.llm import tokens
from chatcore.llm.contents import text_alone
from chatcore.llm.models import Model
from chatcore.llm.types import ModelRequest, ProviderError, Turn
from chatcore.offload import offload
from chatcore.realtime.log import announce
from chatcore.usage.spending import is_spent
from conversations import events
from conversations.actions.access import audience_of
from conversations.asides import ask_aside, briefly, record_asides
from conversations.claims import Claim
from conversations.context import Context, Said, context_of, read_context
from conversations.ledger import tokens_of
from conversations.models import Conversation, Message, Summary

log = logging.getLogger(__name__)

SUMMARY_TOKENS = 800
LONGEST_SUMMARY = 2_000  # tokens, as we estimate them
SMALLEST_PART = 500
MOST_PARTS = 6  # requests for one summary; of what is longer, the oldest is left out
INSTRUCTION = (
    "Summarise the conversation below for somebody who goes on with it and cannot read it: who wants what, what was "
    "found out and decided, names, numbers and code that are still needed, what is open. Its own language, at most "
    "400 words, no preface."
)


async def fitted_request(claim: Claim) -> ModelRequest:
    """The request for one reply. Where a summary cannot be made, the oldest turns are left out instead."""
    return await _fitted(claim, await context_of(claim))


async def shortened_request(claim: Claim, refused: ModelRequest) -> ModelRequest | None:
    """For a model that could not read `refused`, whatever is known of its window: half of that at most.

    None: nothing is left that could be summarised.
    """
    length = tokens_of(refused)
    request = await _fitted(claim, await offload(read_context, claim, length // 2))
    return request if tokens_of(request) < length else None


async def _fitted(claim: Claim, context: Context) -> ModelRequest:
    old = context.too_old()
    model = await offload(_may_be_asked, claim) if old else None
    if model is None:
        return context.request()
    try:
        text = await _summarise(claim, model, context, old)
    except ProviderError as error:
        log.info("no summary for %s: %s", claim.id, error)
        return context.request()
    await offload(_keep, claim, old[-1], text)
    return context.summarised(old, text).request()


def _may_be_asked(claim: Claim) -> Model | None:
    """The reply's model, where there are means for a summary."""
    model = Model.objects.filter(pk=claim.model_id).first() if claim.model_id else None
    if model is None or is_spent(claim.workspace_id, claim.user_id, claim.integration_id, model.pk):
        return None
    return model


async def _summarise(claim: Claim, model: Model, context: Context, old: Sequence[Said]) -> str:
    """Part by part, each as large as the window allows, with the summary of what came before it."""
    summary = context.summary
    room = max(context.room - 2 * LONGEST_SUMMARY, context.room // 2, SMALLEST_PART)
    for part in list(_parts(old, room))[-MOST_PARTS:]:
        before = f"Summary of what came before:\n{summary}\n\n---\n\n" if summary else ""
        request = ModelRequest(
            model="",
            turns=(Turn("system", INSTRUCTION), Turn("user", before + part)),
            params=briefly(model, SUMMARY_TOKENS),
            purpose="summary",
            user=context.user,
        )
        aside = await ask_aside(claim, request, model)
        await offload(record_asides, aside)
        if aside.error:
            raise aside.error
        summary = tokens.beginning(aside.text.replace("\x00", "").strip(), LONGEST_SUMMARY)
        if not summary:
            raise ProviderError("empty", "the summary is empty")
    return summary


def _parts(old: Sequence[Said], room: int) -> Iterator[str]:
    """Each of no more than `room` tokens, as we estimate them."""
    part: list[str] = []
    left = room
    for one in old:
        text = tokens.beginning(f"{one.turn.role}: {text_alone(one.turn)}", room)
        size = tokens.estimate(text) + 1
        if part and size > left:
            yield "\n\n".join(part)
            part, left = [], room
        part.append(text)
        left -= size
    yield "\n\n".join(part)


@transaction.atomic
def _keep(claim: Claim, last: Said, text: str) -> None:
    """For every branch through that message. Two replies that summarise at once keep the first one's."""
    conversation = (
        Conversation.objects.select_for_update(no_key=True).filter(id=claim.conversation_id).first()
    )
    message = Message.objects.filter(id=last.message).first()
    if conversation is None or message is None:  # deleted meanwhile
        return
    _, made = Summary.objects.get_or_create(
        message=message, defaults={"text": text, "model_name": claim.model_name}
    )
    if made:
        body = events.ContextSummarised(message=message.id)
        announce(*events.about(conversation, audience_of(conversation.id), SYSTEM, body))
