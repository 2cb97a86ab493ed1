"""A model writes the conversation's title after its first reply; a failure leaves the draft and nothing else."""

import logging
import uuid

from django.db import transaction

from chatcore.accounts.principals import SYSTEM
from chatcore.llm.types import ModelRequest, Turn
from chatcore.offload import offload
from chatcore.prepared import plans_kept
from chatcore.realtime.log import announce
from chatcore.usage.spending import is_spent
from conversations import events
from conversations.actions.access import audience_of
from conversations.asides import Aside, ask_aside, record_aside
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
    reply, question = found
    excerpts = (text[:EXCERPT] for text in (question, reply.text))
    turns = (Turn("system", INSTRUCTION), Turn("user", "\n\n---\n\n".join(excerpts)))
    request = ModelRequest(model="", turns=turns, params={"max_tokens": 200}, purpose="title")
    aside = await ask_aside(reply, request)
    if aside.error:
        log.info("no title for %s: %s", conversation_id, aside.error)
    await offload(_finish, conversation_id, aside)


@plans_kept()
def _first_exchange(conversation_id: uuid.UUID) -> tuple[Message, str] | None:
    """The first answer with its question, while the title is still the draft one and there are means to write it."""
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
    asker = (reply.workspace_id, reply.user_id, reply.integration_id)
    return None if is_spent(*asker, reply.model_id) else (reply, reply.parent.text)


def _tidy(text: str) -> str:
    line = next((line for line in text.splitlines() if line.strip()), "")
    title = " ".join(line.strip(" #*\"'“”„«»`.").split()).replace("\x00", "")
    return (
        title
        if len(title) <= TITLE_LENGTH
        else title[:TITLE_LENGTH].rsplit(" ", 1)[0][:MAX_TITLE_LENGTH] + "…"
    )


@plans_kept()
@transaction.atomic
def _finish(conversation_id: uuid.UUID, aside: Aside) -> None:
    title = "" if aside.error else _tidy(aside.text)
    if title:
        _set_title(conversation_id, title)
    record_aside(aside)


def _set_title(conversation_id: uuid.UUID, title: str) -> None:
    """Only a draft is replaced: a title somebody gave meanwhile stays."""
    drafts = Conversation.objects.filter(id=conversation_id, title_source=Conversation.TitleSource.DRAFT)
    if not drafts.update(title=title, title_source=Conversation.TitleSource.GENERATED):
        return
    conversation = Conversation.objects.select_related("model").get(id=conversation_id)
    body = events.ConversationUpdated(**events.state_of(conversation), changed=("title",))
    announce(*events.about(conversation, audience_of(conversation_id), SYSTEM, body))
