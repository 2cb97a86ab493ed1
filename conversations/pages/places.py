"""Finding what an address of a page names."""

import uuid

from chatcore.accounts.principals import Principal
from chatcore.errors import NotFound
from conversations.actions.access import find_message
from conversations.models import Conversation, Member, Message


def find_place(principal: Principal, conversation_id: uuid.UUID) -> tuple[Conversation, Member]:
    """The conversation, and how its reader keeps it."""
    member = Member.objects.for_principal(principal).filter(conversation_id=conversation_id).first()
    if member is None:
        raise NotFound
    return member.conversation, member


def message_at(principal: Principal, conversation_id: uuid.UUID, message_id: uuid.UUID | None) -> Message:
    """The message, if it stands in that conversation."""
    if message_id is None:
        raise NotFound
    message = find_message(principal, message_id)
    if message.conversation_id != conversation_id:
        raise NotFound
    return message
