"""A cheap model writes the conversation's title after its first reply; a failure leaves the draft and nothing else."""

import functools
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import OuterRef, Subquery

from chatcore import rows
from chatcore.accounts.principals import SYSTEM
from chatcore.llm.models import Model
from chatcore.llm.types import ModelRequest, Turn
from chatcore.offload import offload
from chatcore.prepared import plans_kept
from chatcore.realtime.log import Announcement, announce
from chatcore.together import Together, or_alone
from chatcore.usage import spending
from conversations import events
from conversations.actions.access import audiences_of
from conversations.asides import REASONING_TOKENS, Aside, ask_aside, briefly, reasons, record_asides
from conversations.models import Conversation, Message
from conversations.texts import MAX_TITLE_LENGTH
from conversations.title_models import title_models

log = logging.getLogger(__name__)

TITLE_LENGTH = 80
TITLE_TOKENS = 200
EXCERPT = 2_000
INSTRUCTION = (
    "Write a title for the conversation below: two to six words in its own language, "
    "no quotation marks, no full stop, nothing else."
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A first answer and what it answers, with the models that may write the title, to be asked in turn."""

    question: str
    reply: Message
    models: Sequence[Model]

    def request(self, model: Model) -> ModelRequest:
        excerpts = (text[:EXCERPT] for text in (self.question, self.reply.text))
        turns = (Turn("system", INSTRUCTION), Turn("user", "\n\n---\n\n".join(excerpts)))
        params = briefly(model, TITLE_TOKENS + self._room_for_surprises(model))
        return ModelRequest(model="", turns=turns, params=params, purpose="title")

    def _room_for_surprises(self, model: Model) -> int:
        """In tokens, for a model that has reasoned although nobody knew that it does."""
        has_reasoned = model == self.reply.model and bool(self.reply.reasoning)
        return REASONING_TOKENS if has_reasoned and not reasons(model) else 0


async def write_title(conversation_id: uuid.UUID) -> None:
    found = await _reading(_first_exchanges, conversation_id, None)
    if found is None:
        return
    asides: list[Aside] = []
    for model in found.models:
        aside = await ask_aside(found.reply, found.request(model), model)
        asides.append(aside)
        if _title(aside):
            break
        log.info("no title for %s by %s: %s", conversation_id, model.name, aside.error or "it said nothing")
    await _saving(or_alone(_finish), (conversation_id, asides), None)


@plans_kept()
def _first_exchanges(conversations: Sequence[uuid.UUID]) -> list[Exchange | None]:
    """The first answer with its question, while the title is a draft and its asker may ask, and has means to."""
    answers = Message.objects.filter(
        conversation=OuterRef("pk"),
        status=Message.Status.DONE,
        author=Message.Author.ASSISTANT,
        model__isnull=False,
    )
    drafts = Conversation.objects.filter(
        id__in=conversations, title_source=Conversation.TitleSource.DRAFT
    ).values(answer=Subquery(answers.order_by("id").values("id")[:1]))
    replies = list(Message.objects.filter(id__in=drafts, parent__isnull=False).select_related(*_NAMED))
    models, is_spent = title_models(replies), functools.cache(spending.is_spent)
    found = {reply.conversation_id: _affordable(reply, models[reply.id], is_spent) for reply in replies}
    return [found.get(conversation) for conversation in conversations]


def _affordable(reply: Message, models: Sequence[Model], is_spent: Callable[..., bool]) -> Exchange | None:
    assert reply.parent is not None
    asker = (reply.workspace_id, reply.user_id, reply.integration_id)
    left = [model for model in models if not is_spent(*asker, model.pk)]
    return Exchange(reply.parent.text, reply, left) if left else None


def _title(aside: Aside) -> str:
    return "" if aside.error else _tidy(aside.text)


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
def _finish(written: Sequence[tuple[uuid.UUID, Sequence[Aside]]]) -> Sequence[None]:
    titles = {conversation: _title(asides[-1]) for conversation, asides in written}
    _set_titles({conversation: title for conversation, title in titles.items() if title})
    record_asides(*(aside for _, asides in written for aside in asides))
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


_NAMED = ("parent", "model")

_reading: Together[uuid.UUID, Exchange | None] = Together(offload)
_saving: Together[tuple[uuid.UUID, Sequence[Aside]], None] = Together(offload)

_SET = """
with drafts as materialized (
    select draft.id, written.title from unnest(%(ids)s::uuid[], %(titles)s::text[]) as written(id, title)
    join conversations_conversation draft on draft.id = written.id and draft.title_source = 'draft'
    order by draft.id for no key update of draft
)
update conversations_conversation c set title = drafts.title, title_source = 'generated'
from drafts where c.id = drafts.id returning c.id
"""
