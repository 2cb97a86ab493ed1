"""Actions on a conversation as a whole."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.errors import Forbidden, NotFound
from chatcore.ids import uuid7
from chatcore.realtime.log import announce
from chatcore.realtime.models import Event
from conversations import events
from conversations.actions.access import (
    audience_of,
    find_conversation,
    find_message,
    find_model,
    lock_conversation,
)
from conversations.ledger import forget_replies, lock_running
from conversations.models import Conversation, Member, Message
from conversations.texts import checked_params, checked_text, checked_title

WRITE = "conversations:write"


@transaction.atomic
def start_conversation(
    principal: Principal,
    *,
    title: str = "",
    model: str | None = None,
    system: str = "",
    params: dict[str, Any] | None = None,
    conversation_id: uuid.UUID | None = None,
) -> Conversation:
    """A new, empty conversation of the principal's user. A title that is given is never replaced by a generated one."""
    conversation = new_conversation(
        principal, title=title, model=model, system=system, params=params, conversation_id=conversation_id
    )
    conversation.save(force_insert=True)
    Member.objects.create(
        conversation=conversation,
        user=conversation.owner,
        workspace=principal.workspace,
        last_message_at=conversation.last_message_at,
    )
    body = events.ConversationCreated(**events.state_of(conversation))
    announce(*events.about(conversation, [conversation.owner_id], principal.author, body))
    return conversation


def new_conversation(
    principal: Principal,
    *,
    title: str = "",
    model: str | None = None,
    system: str = "",
    params: dict[str, Any] | None = None,
    conversation_id: uuid.UUID | None = None,
    thread: str = "",
) -> Conversation:
    """Not stored yet: to be written with its first message, or alone by `start_conversation`.

    `thread` is what an integration knows it by, if it does: its constraints may name threads.
    """
    principal.require(WRITE)
    principal.check_constraints(thread=thread)
    if principal.user is None:
        raise Forbidden("This key acts for no user, so it cannot own a conversation.")
    return rows.new(
        Conversation,
        id=conversation_id or uuid7(),
        workspace=principal.workspace,
        owner=principal.user,
        title=checked_title(title) if title else "",
        title_source=Conversation.TitleSource.GIVEN if title else Conversation.TitleSource.DRAFT,
        model=find_model(principal, model) if model else None,
        system=checked_text(system, "/system", required=False),
        params=checked_params(params or {}),
        last_message_at=timezone.now(),
    )


@transaction.atomic
def update_conversation(principal: Principal, conversation_id: uuid.UUID, **changes: Any) -> Conversation:
    """Change any of title, model (a name or None), system, params; what is not named stays."""
    conversation = lock_conversation(principal, conversation_id, WRITE)
    if "title" in changes:
        conversation.title = checked_title(changes["title"])
        conversation.title_source = Conversation.TitleSource.GIVEN
    if "model" in changes:
        conversation.model = find_model(principal, changes["model"]) if changes["model"] else None
    if "system" in changes:
        conversation.system = checked_text(changes["system"], "/system", required=False)
    if "params" in changes:
        conversation.params = checked_params(changes["params"])
    conversation.save(update_fields=["title", "title_source", "model", "system", "params"])
    announce_update(principal, conversation, *sorted(changes))
    return conversation


@transaction.atomic
def adjust_conversation(
    principal: Principal, conversation_id: uuid.UUID, *, params: Mapping[str, Any], system: str
) -> Conversation:
    """New instructions, and of the parameters only those named are changed: None takes one away."""
    conversation = lock_conversation(principal, conversation_id, WRITE)
    adjusted = {name: value for name, value in (conversation.params | params).items() if value is not None}
    return update_conversation(principal, conversation_id, params=adjusted, system=system)


def rename_conversation(principal: Principal, conversation_id: uuid.UUID, title: str) -> Conversation:
    return update_conversation(principal, conversation_id, title=title)


@transaction.atomic
def archive_conversation(principal: Principal, conversation_id: uuid.UUID) -> Conversation:
    """Out of the reader's open list; others keep it in theirs."""
    return _place(principal, conversation_id, "archived", archived_at=timezone.now())


@transaction.atomic
def unarchive_conversation(principal: Principal, conversation_id: uuid.UUID) -> Conversation:
    return _place(principal, conversation_id, "archived", archived_at=None)


@transaction.atomic
def pin_conversation(principal: Principal, conversation_id: uuid.UUID) -> Conversation:
    return _place(principal, conversation_id, "pinned", pinned=True)


@transaction.atomic
def unpin_conversation(principal: Principal, conversation_id: uuid.UUID) -> Conversation:
    return _place(principal, conversation_id, "pinned", pinned=False)


@transaction.atomic
def choose_branch(principal: Principal, message_id: uuid.UUID, *, step: int = 0) -> Conversation:
    """Show the branch through the message, or through the sibling `step` places after it (before, if negative)."""
    message = find_message(principal, message_id)
    conversation = lock_conversation(principal, message.conversation_id, WRITE)
    siblings = Message.objects.filter(conversation=conversation, parent=message.parent_id).order_by("id")
    if step:
        ids = list(siblings.values_list("id", flat=True))
        place = ids.index(message.id) + step
        message_id = ids[max(0, min(place, len(ids) - 1))]
    conversation.active_leaf_id = Message.objects.newest_leaf_below(message_id)
    conversation.save(update_fields=["active_leaf"])
    announce_update(principal, conversation, "branch")
    return conversation


@transaction.atomic
def delete_conversation(principal: Principal, conversation_id: uuid.UUID) -> None:
    """Gone for every member, with its messages and its events; a running reply finds its row missing and ends."""
    conversation = lock_conversation(principal, conversation_id, WRITE)
    if principal.user is None or conversation.owner_id != principal.user.id:
        raise Forbidden("Only its owner may delete a conversation.")
    erase_conversation(conversation, principal.author)


def erase_conversation(conversation: Conversation, author: str) -> None:
    """With its messages and its events, in the current transaction, which holds the conversation."""
    audience = audience_of(conversation.id)
    running = lock_running(conversation.id)
    Event.objects.filter(conversation_id=conversation.id).delete()
    announce(*events.about(conversation, audience, author, events.ConversationDeleted()))
    Conversation.objects.filter(id=conversation.id).update(active_leaf=None)
    Message.objects.filter(conversation=conversation).erase()
    conversation.delete()
    forget_replies(running)


def announce_update(principal: Principal, conversation: Conversation, *changed: str) -> None:
    body = events.ConversationUpdated(**events.state_of(conversation), changed=changed)
    audience = audience_of(conversation.id)
    announce(*events.about(conversation, audience, principal.author, body))


def _place(principal: Principal, conversation_id: uuid.UUID, changed: str, **values: Any) -> Conversation:
    conversation = find_conversation(principal, conversation_id, WRITE)
    if not Member.objects.filter(conversation=conversation, user=principal.user).update(**values):
        raise NotFound
    announce_update(principal, conversation, changed)
    return conversation
