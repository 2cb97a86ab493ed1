"""Actions that add, change or take away messages."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import zip_longest
from typing import Any, Protocol

from django.db import transaction

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid
from chatcore.ids import just_before, uuid7
from chatcore.llm.models import Model
from chatcore.prepared import plans_kept
from chatcore.realtime.log import announce
from conversations import events
from conversations.actions.access import (
    audience_of,
    find_message,
    find_model,
    lock_conversation,
    lock_conversations,
)
from conversations.actions.comparisons import compared_again, find_models, forget_comparisons
from conversations.actions.posting import Posting, write
from conversations.actions.receipts import recount_unread
from conversations.actions.replies import new_reply
from conversations.attachments import attach, attach_again, attachments_of
from conversations.errors import NotEditable, StillRunning
from conversations.models import Attachment, Conversation, Message
from conversations.texts import checked_params, checked_text

WRITE = "messages:write"
LEAF = uuid.UUID(int=0)


class FindModel(Protocol):
    """`find_model` for somebody."""

    def __call__(self, name: str | None, *, otherwise: uuid.UUID | None) -> Model: ...


@dataclass(frozen=True)
class Posted:
    """A message and the reply that was queued for it; `others` are those it is compared with.

    `repeated`: the same client_id had been stored before.
    """

    message: Message
    reply: Message | None
    repeated: bool = False
    others: tuple[Message, ...] = ()

    @property
    def replies(self) -> tuple[Message, ...]:
        return (self.reply, *self.others) if self.reply else ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Wish:
    """A message that somebody wants to post to a conversation, below the active leaf unless `parent` says where, and
    who shall reply to it.

    With `models` each of them replies, all at once; the first one's reply is shown until another is chosen. `reply_ids`
    are the ids of the replies to be, rising. `attachments` are files of the principal's that wait for a message; with
    `same_files_as` it has those of that message too.
    """

    conversation_id: uuid.UUID
    text: str
    parent: uuid.UUID | None = LEAF
    model: str | None = None
    models: Sequence[str] | None = None
    params: dict[str, Any] | None = None
    respond: bool = True
    client_id: uuid.UUID | None = None
    reply_ids: Sequence[uuid.UUID] = ()
    attachments: Sequence[uuid.UUID] = ()
    same_files_as: uuid.UUID | None = None


def post_message(principal: Principal, conversation_id: uuid.UUID, **wishes: Any) -> Posted:
    """`post_messages` of one, with the fields of its Wish."""
    (posted,) = post_messages(principal, [Wish(conversation_id=conversation_id, **wishes)])
    return posted


@plans_kept()
@transaction.atomic
def post_messages(principal: Principal, wishes: Sequence[Wish]) -> list[Posted]:
    """Add messages in this order and queue the replies to them, in a few statements however many they are; all or none.

    A reply still running above one is waited for: replies of one branch are made one after the other.
    """
    conversations = lock_conversations(principal, {wish.conversation_id for wish in wishes}, WRITE)
    known = _posted_before(wishes)
    find = cache(partial(find_model, principal))
    posted, postings = [], []
    for wish in wishes:
        name = (wish.conversation_id, wish.client_id)
        if name in known:
            posted.append(known[name])
            continue
        posting = _posting(principal, conversations[wish.conversation_id], wish, find)
        posting.conversation.active_leaf = posting.leaf  # where the next one goes on
        postings.append(posting)
        message, replies = posting.message, posting.replies
        posted.append(Posted(message, replies[0] if replies else None, others=tuple(replies[1:])))
        if wish.client_id is not None:
            known[name] = replace(posted[-1], repeated=True)
    if postings:
        write(postings)
    return posted


@transaction.atomic
def edit_message(
    principal: Principal,
    message_id: uuid.UUID,
    *,
    text: str,
    model: str | None = None,
    models: Sequence[str] | None = None,
    reply_ids: Sequence[uuid.UUID] = (),
) -> Posted:
    """A new sibling with the new text, and a reply to it: nothing that was said is lost.

    Where several models answered the old one, and no other wish is told, those of them that still can are compared
    again.
    """
    old = find_message(principal, message_id, WRITE)
    if old.is_reply:
        raise NotEditable
    if model is None and models is None:
        models = compared_again(principal, old)
    return post_message(
        principal,
        old.conversation_id,
        text=text,
        parent=old.parent_id,
        model=model,
        models=models,
        same_files_as=old.id if old.attachments.exists() else None,
        reply_ids=reply_ids,
    )


@transaction.atomic
def delete_message(principal: Principal, message_id: uuid.UUID) -> Conversation:
    """The message and everything below it, for good. The reader is left at the newest end of what remains."""
    message = find_message(principal, message_id, WRITE)
    conversation = lock_conversation(principal, message.conversation_id, WRITE)
    below = Message.objects.below(message.id)
    if Message.objects.filter(id__in=below, status__in=["queued", "streaming"]).exists():
        raise StillRunning
    if conversation.active_leaf_id in below:
        conversation.active_leaf_id = _end_without(conversation, message)
        conversation.save(update_fields=["active_leaf"])
    forget_comparisons(below)
    Message.objects.filter(id__in=below).erase()
    recount_unread(conversation.id)
    body = events.MessageDeleted(message=message.id, parent=message.parent_id)
    announce(*events.about(conversation, audience_of(conversation.id), principal.author, body))
    return conversation


def _posting(principal: Principal, conversation: Conversation, wish: Wish, find: FindModel) -> Posting:
    text = checked_text(wish.text, required=not (wish.attachments or wish.same_files_as))
    params = checked_params(wish.params or {})
    is_below_leaf = wish.parent == LEAF
    parent_id = conversation.active_leaf_id if is_below_leaf else _checked_parent(conversation, wish.parent)
    responders = _responders(principal, conversation, wish, find)
    message = rows.new(
        Message,
        id=just_before(wish.reply_ids[0]) if wish.reply_ids else uuid7(),
        workspace_id=conversation.workspace_id,
        conversation=conversation,
        parent_id=parent_id,
        author=Message.Author.INTEGRATION if principal.integration else Message.Author.USER,
        user=principal.user,
        integration=principal.integration,
        text=text,
        client_id=wish.client_id,
    )
    replies = [
        new_reply(principal, message, responder, params, reply_id)
        for responder, reply_id in zip_longest(responders, wish.reply_ids[: len(responders)])
    ]
    return Posting(principal, conversation, message, replies, _with_files(principal, message, wish))


def _responders(
    principal: Principal, conversation: Conversation, wish: Wish, find: FindModel
) -> Sequence[Model]:
    """Who replies. Raises Invalid where the wishes contradict one another."""
    if wish.models is None:
        return [find(wish.model, otherwise=conversation.model_id)] if wish.respond else []
    if wish.model is not None or not wish.respond:
        detail = (
            "Name one model or several, not both."
            if wish.respond
            else "Nobody shall reply, but models are named."
        )
        raise Invalid(detail, errors=[FieldProblem("/models", detail, "contradiction")])
    return find_models(principal, wish.models)


def _with_files(principal: Principal, message: Message, wish: Wish) -> list[Attachment]:
    """Attach them, and give all that the message has now."""
    if wish.same_files_as:
        attach_again(message, wish.same_files_as)
    if wish.attachments:
        attach(message, wish.attachments, principal)
    return attachments_of(message) if wish.attachments or wish.same_files_as else []


def _posted_before(wishes: Iterable[Wish]) -> dict[tuple[uuid.UUID, uuid.UUID | None], Posted]:
    """By its conversation and the client's id."""
    named = [(wish.conversation_id, wish.client_id) for wish in wishes if wish.client_id is not None]
    if not named:
        return {}
    conversations, client_ids = map(set, zip(*named, strict=True))
    found = Message.objects.filter(conversation__in=conversations, client_id__in=client_ids)
    return {(message.conversation_id, message.client_id): _repeated(message) for message in found}


def _repeated(message: Message) -> Posted:
    replies = Message.objects.filter(parent=message, author=Message.Author.ASSISTANT).order_by("id")
    first = replies.first()
    others: tuple[Message, ...] = ()
    if first is not None and first.comparison_id is not None:
        others = tuple(replies.filter(comparison=first.comparison_id).exclude(id=first.id))
    return Posted(message, first, repeated=True, others=others)


def _checked_parent(conversation: Conversation, parent_id: uuid.UUID | None) -> uuid.UUID | None:
    if parent_id is None or Message.objects.filter(conversation=conversation, id=parent_id).exists():
        return parent_id
    detail = "The parent is not a message of this conversation."
    raise Invalid(detail, errors=[FieldProblem("/parent", detail, "unknown_parent")])


def _end_without(conversation: Conversation, message: Message) -> uuid.UUID | None:
    sibling = (
        Message.objects.filter(conversation=conversation, parent=message.parent_id)
        .exclude(id=message.id)
        .order_by("-id")
        .first()
    )
    return Message.objects.newest_leaf_below(sibling.id) if sibling else message.parent_id
