"""A model writes the conversation's title after its first reply; a failure leaves the draft and nothing else."""

import contextlib
import logging
import uuid

from django.db import transaction

from chatcore.accounts.principals import SYSTEM
from chatcore.llm import routing
from chatcore.llm.types import ModelRequest, ProviderError, TextDelta, Turn
from chatcore.offload import offload
from chatcore.realtime.log import announce
from conversations import events
from conversations.actions.access import audience_of
from conversations.models import Conversation, Message
from conversations.texts import MAX_TITLE_LENGTH

log = logging.getLogger(__name__)

TITLE_LENGTH = 80
EXCERPT = 2_000
INSTRUCTION = (
    "Write a title for the conversation below: two to six words in its own language, "
    "no quotation marks, no full stop, nothing else."
)


async def write_title(conversation_id: uuid.UUID) -> None:
    found = await offload(_first_exchange, conversation_id)
    if found is None:
        return
    model_id, asked, answered = found
    turns = (Turn("system", INSTRUCTION), Turn("user", f"{asked[:EXCERPT]}\n\n---\n\n{answered[:EXCERPT]}"))
    request = ModelRequest(model="", turns=turns, params={"max_tokens": 200}, purpose="title")
    pieces: list[str] = []
    try:
        async with contextlib.aclosing(routing.answer(model_id, request)) as answer:
            async for event in answer:
                if isinstance(event, TextDelta):
                    pieces.append(event.text)
    except ProviderError as error:
        log.info("no title for %s: %s", conversation_id, error)
        return
    title = _tidy("".join(pieces))
    if title:
        await offload(_set_title, conversation_id, title)


def _first_exchange(conversation_id: uuid.UUID) -> tuple[uuid.UUID, str, str] | None:
    """Model, question and answer, while the title is still the draft one."""
    replies = Message.objects.filter(
        conversation=conversation_id,
        conversation__title_source=Conversation.TitleSource.DRAFT,
        status=Message.Status.DONE,
        author=Message.Author.ASSISTANT,
        model__isnull=False,
    )
    reply = replies.select_related("parent").order_by("id").first()
    if reply is None or reply.parent is None:
        return None
    return reply.model_id, reply.parent.text, reply.text


def _tidy(text: str) -> str:
    line = next((line for line in text.splitlines() if line.strip()), "")
    title = " ".join(line.strip(" #*\"'“”„«»`.").split()).replace("\x00", "")
    return (
        title
        if len(title) <= TITLE_LENGTH
        else title[:TITLE_LENGTH].rsplit(" ", 1)[0][:MAX_TITLE_LENGTH] + "…"
    )


@transaction.atomic
def _set_title(conversation_id: uuid.UUID, title: str) -> None:
    """Only a draft is replaced: a title somebody gave meanwhile stays."""
    drafts = Conversation.objects.filter(id=conversation_id, title_source=Conversation.TitleSource.DRAFT)
    if not drafts.update(title=title, title_source=Conversation.TitleSource.GENERATED):
        return
    conversation = Conversation.objects.select_related("model").get(id=conversation_id)
    body = events.ConversationUpdated(**events.state_of(conversation), changed=("title",))
    announce(*events.about(conversation, audience_of(conversation_id), SYSTEM, body))
