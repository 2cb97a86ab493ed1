"""Finding what an action is about: a foreign thing is as absent as one that never was."""

import uuid
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid, NotFound
from chatcore.llm import choosing
from chatcore.llm.models import Model
from conversations.errors import NoModel
from conversations.models import Conversation, Member, Message

Audience: TypeAlias = tuple[uuid.UUID, ...]


def find_conversation(
    principal: Principal, conversation_id: uuid.UUID, grant: str = "conversations:read"
) -> Conversation:
    principal.require_any(grant)
    found: Conversation | None = (
        Conversation.objects.for_principal(principal, grant).filter(id=conversation_id).first()
    )
    if found is None:
        raise NotFound
    return found


def lock_conversation(principal: Principal, conversation_id: uuid.UUID, grant: str) -> Conversation:
    """The conversation, locked until the transaction ends: what is added to it is added one after the other."""
    principal.require_any(grant)
    allowed = Conversation.objects.for_principal(principal, grant)
    locked: Conversation | None = (
        allowed.select_for_update(no_key=True, of=("self",)).filter(id=conversation_id).first()
    )
    if locked is None:
        raise NotFound
    return locked


def find_message(principal: Principal, message_id: uuid.UUID, grant: str = "messages:read") -> Message:
    principal.require_any(grant)
    found: Message | None = Message.objects.for_principal(principal, grant).filter(id=message_id).first()
    if found is None:
        raise NotFound
    return found


def find_model(
    principal: Principal, name: str | None, *, otherwise: uuid.UUID | None = None, pointer: str = "/model"
) -> Model:
    """The model of that name, else the one whose id is `otherwise` if it may still be used, else the default.

    A name that cannot be used is Invalid, at `pointer`.
    """
    if name:
        chosen = choosing.named(principal, name)
        if chosen is None or not principal.may("models:use", chosen.name):
            detail = f"There is no model {name!r} for you. GET /api/v1/models/ lists those you may use."
            raise Invalid(detail, errors=[FieldProblem(pointer, detail, "unknown_model")])
        return chosen
    usual = choosing.known(principal, otherwise) if otherwise else None
    if usual is not None and principal.may("models:use", usual.name):
        return usual
    default = choosing.default(principal)
    if default is None or not principal.may("models:use", default.name):
        raise NoModel
    return default


def audience_of(conversation_id: uuid.UUID) -> Audience:
    """The users who hear of what happens in the conversation."""
    return audiences_of([conversation_id])[conversation_id]


def audiences_of(conversation_ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, Audience]:
    """`audience_of` each of them, in one query."""
    found: dict[uuid.UUID, Audience] = dict.fromkeys(conversation_ids, ())
    if found:
        members = Member.objects.filter(conversation__in=found)
        for conversation_id, user_id in members.values_list("conversation_id", "user_id"):
            found[conversation_id] += (user_id,)
    return found
