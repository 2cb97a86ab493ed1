"""Actions that add, change or take away messages."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from django.db import transaction

from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid
from chatcore.ids import just_before, uuid7
from chatcore.llm.models import Model
from chatcore.prepared import plans_kept
from chatcore.realtime.log import announce
from conversations import events
from conversations.actions.access import audience_of, find_message, find_model, lock_conversation
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


@plans_kept()
@transaction.atomic
def post_message(
    principal: Principal,
    conversation_id: uuid.UUID,
    *,
    text: str,
    parent: uuid.UUID | None = LEAF,
    model: str | None = None,
    models: Sequence[str] | None = None,
    params: dict[str, Any] | None = None,
    respond: bool = True,
    client_id: uuid.UUID | None = None,
    reply_ids: Sequence[uuid.UUID] = (),
    attachments: Sequence[uuid.UUID] = (),
    same_files_as: uuid.UUID | None = None,
) -> Posted:
    """Add a message, below the active leaf unless `parent` says where, and queue a model's reply to it.

    A reply still running above it is waited for: replies of one branch are made one after the other. With `models`
    each of them replies, all at once; the first one's reply is shown until another is chosen. `reply_ids` are the
    ids of the replies to be, rising. `attachments` are files of the principal's that wait for a message; with
    `same_files_as` it has those of that message too.
    """
    text = checked_text(text, required=not (attachments or same_files_as))
    params = checked_params(params or {})
    conversation = lock_conversation(principal, conversation_id, WRITE)
    if client_id is not None and (posted := _posted_before(conversation, client_id)):
        return posted
    parent_id = conversation.active_leaf_id if parent == LEAF else _checked_parent(conversation, parent)
    responders = _responders(principal, conversation, model, models, respond=respond)
    message = Message(
        id=just_before(reply_ids[0]) if reply_ids else uuid7(),
        workspace_id=conversation.workspace_id,
        conversation=conversation,
        parent_id=parent_id,
        author=Message.Author.INTEGRATION if principal.integration else Message.Author.USER,
        user=principal.user,
        integration=principal.integration,
        text=text,
        client_id=client_id,
    )
    replies = [
        new_reply(principal, message, responder, params, reply_id)
        for responder, reply_id in zip_longest(responders, reply_ids[: len(responders)])
    ]
    files = _with_files(principal, message, attachments, same_files_as)
    return _add(principal, conversation, message, replies, files)


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


def _responders(
    principal: Principal,
    conversation: Conversation,
    model: str | None,
    models: Sequence[str] | None,
    *,
    respond: bool,
) -> list[Model]:
    """Who replies. Raises Invalid where the wishes contradict one another."""
    if models is None:
        return [find_model(principal, model, otherwise=conversation.model_id)] if respond else []
    if model is not None or not respond:
        detail = (
            "Name one model or several, not both." if respond else "Nobody shall reply, but models are named."
        )
        raise Invalid(detail, errors=[FieldProblem("/models", detail, "contradiction")])
    return find_models(principal, models)


def _with_files(
    principal: Principal,
    message: Message,
    attachments: Sequence[uuid.UUID],
    same_files_as: uuid.UUID | None,
) -> list[Attachment]:
    """Attach them, and give all that the message has now."""
    if same_files_as:
        attach_again(message, same_files_as)
    if attachments:
        attach(message, attachments, principal)
    return attachments_of(message) if attachments or same_files_as else []


def _add(
    principal: Principal,
    conversation: Conversation,
    message: Message,
    replies: Sequence[Message],
    files: Sequence[Attachment],
) -> Posted:
    write([Posting(principal, conversation, message, replies, files)])
    return Posted(message, replies[0] if replies else None, others=tuple(replies[1:]))


def _posted_before(conversation: Conversation, client_id: uuid.UUID) -> Posted | None:
    message = Message.objects.filter(conversation=conversation, client_id=client_id).first()
    if message is None:
        return None
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
