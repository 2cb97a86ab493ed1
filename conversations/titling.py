"""A model writes the conversation's title after its first reply; a failure leaves the draft and nothing else."""

import functools
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from django.db import transaction
from django.db.models import OuterRef, Subquery

from chatcore import rows
from chatcore.accounts.principals import SYSTEM
from chatcore.llm.types import ModelRequest, Turn
from chatcore.offload import offload
from chatcore.prepared import plans_kept
from chatcore.realtime.log import Announcement, announce
from chatcore.together import Together, or_alone
from chatcore.usage import spending
from conversations import events
from conversations.actions.access import audiences_of
from conversations.asides import Aside, ask_aside, record_asides
from conversations.models import Conversation, Message
from conversations.texts import MAX_TITLE_LENGTH

log = logging.getLogger(__name__)

Exchange: TypeAlias = tuple[Message, str]  # an answer, and what it answers

TITLE_LENGTH = 80
EXCERPT = 2_000
INSTRUCTION = (
    "Write a title for the conversation below: two to six words in its own language, "
    "no quotation marks, no full stop, nothing else."
)


async def write_title(conversation_id: uuid.UUID) -> None:
    found = await _reading(_first_exchanges, conversation_id, None)
    if found is None:
        return
    reply, question = found
    excerpts = (text[:EXCERPT] for text in (question, reply.text))
    turns = (Turn("system", INSTRUCTION), Turn("user", "\n\n---\n\n".join(excerpts)))
    request = ModelRequest(model="", turns=turns, params={"max_tokens": 200}, purpose="title")
    aside = await ask_aside(reply, request)
    if aside.error:
        log.info("no title for %s: %s", conversation_id, aside.error)
    await _saving(or_alone(_finish), (conversation_id, aside), None)


@plans_kept()
def _first_exchanges(conversations: Sequence[uuid.UUID]) -> list[Exchange | None]:
    """The first answer with its question, while the title is still the draft one and there are means to write it."""
    answers = Message.objects.filter(
        conversation=OuterRef("pk"),
        status=Message.Status.DONE,
        author=Message.Author.ASSISTANT,
        model__isnull=False,
    )
    drafts = Conversation.objects.filter(
        id__in=conversations, title_source=Conversation.TitleSource.DRAFT
    ).values(answer=Subquery(answers.order_by("id").values("id")[:1]))
    replies = Message.objects.filter(id__in=drafts, parent__isnull=False).select_related("parent")
    found = {reply.conversation_id: reply for reply in replies}
    is_spent = functools.cache(spending.is_spent)
    return [_affordable(found.get(conversation), is_spent) for conversation in conversations]


def _affordable(reply: Message | None, is_spent: Callable[..., bool]) -> Exchange | None:
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
def _finish(written: Sequence[tuple[uuid.UUID, Aside]]) -> Sequence[None]:
    titles = {conversation: "" if aside.error else _tidy(aside.text) for conversation, aside in written}
    _set_titles({conversation: title for conversation, title in titles.items() if title})
    record_asides(*(aside for _, aside in written))
    return [None] * len(written)


def _set_titles(titles: Mapping[uuid.UUID, str]) -> None:
    """Only a draft is replaced: a title somebody gave meanwhile stays."""
    columns = {"ids": list(titles), "titles": list(titles.values())}
    changed = [conversation for (conversation,) in rows.execute(_SET, columns)]
    audiences = audiences_of(changed)
    announced: list[Announcement] = []
    for conversation in Conversation.objects.select_related("model").filter(id__in=changed):
        body = events.ConversationUpdated(**events.state_of(conversation), changed=("title",))
        announced += events.about(conversation, audiences[conversation.id], SYSTEM, body)
    announce(*announced)


_reading: Together[uuid.UUID, Exchange | None] = Together(offload)
_saving: Together[tuple[uuid.UUID, Aside], None] = Together(offload)

_SET = """
with drafts as materialized (
    select draft.id, written.title from unnest(%(ids)s::uuid[], %(titles)s::text[]) as written(id, title)
    join conversations_conversation draft on draft.id = written.id and draft.title_source = 'draft'
    order by draft.id for no key update of draft
)
update conversations_conversation c set title = drafts.title, title_source = 'generated'
from drafts where c.id = drafts.id returning c.id
"""
