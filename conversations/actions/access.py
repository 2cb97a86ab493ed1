"""Finding what an action is about: a foreign thing is as absent as one that never was."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid, NotFound
from chatcore.llm import choosing
from chatcore.llm.models import Model
from chatcore.prepared import Prepared
from conversations.errors import NoModel
from conversations.models import Conversation, Message
from conversations.querysets import ConversationQuerySet

_MEMBERS = (
    "select conversation_id, user_id from conversations_member where conversation_id = any(%(conversations)s)"
)

Audience: TypeAlias = tuple[uuid.UUID, ...]


def find_conversation(
    principal: Principal, conversation_id: uuid.UUID, grant: str = "conversations:read"
) -> Conversation:
    return _existing(principal, conversation_id, grant, _found, Conversation.objects.all())


def lock_conversation(principal: Principal, conversation_id: uuid.UUID, grant: str) -> Conversation:
    """The conversation, locked until the transaction ends: what is added to it is added one after the other."""
    locked = _existing(principal, conversation_id, grant, _locked, _locking())
    principal.check_constraints(conversation=locked)
    return locked


def lock_conversations(
    principal: Principal, conversation_ids: Collection[uuid.UUID], grant: str
) -> Mapping[uuid.UUID, Conversation]:
    """`lock_conversation` of each, by its id; in the order of rows, so that two cannot deadlock."""
    if len(conversation_ids) == 1:
        return {id: lock_conversation(principal, id, grant) for id in conversation_ids}
    principal.require_any(grant)
    found = _locking().for_principal(principal, grant).filter(id__in=conversation_ids).order_by("id")
    locked = {conversation.id: conversation for conversation in found}
    if len(locked) < len(conversation_ids):
        raise NotFound
    for conversation in locked.values():
        principal.check_constraints(conversation=conversation)
    return locked


def _locking() -> ConversationQuerySet:
    locking: ConversationQuerySet = Conversation.objects.select_for_update(no_key=True, of=("self",))
    return locking


_found: Prepared[Conversation] = Prepared(
    lambda workspace, user, id: Conversation.objects.of_member(workspace, user).filter(id=id),
    *[uuid.UUID] * 3,
)
_locked: Prepared[Conversation] = Prepared(
    lambda workspace, user, id: _locking().of_member(workspace, user).filter(id=id), *[uuid.UUID] * 3
)


def _existing(
    principal: Principal,
    conversation_id: uuid.UUID,
    grant: str,
    prepared: Prepared[Conversation],
    queryset: ConversationQuerySet,
) -> Conversation:
    """By the prepared query, unless the principal's key is limited to some conversations."""
    principal.require_any(grant)
    if principal.user is not None and principal.selectors(grant) is None:
        found = prepared.first(principal.workspace.id, principal.user.id, conversation_id)
    else:
        found = queryset.for_principal(principal, grant).filter(id=conversation_id).first()
    if found is None:
        raise NotFound
    return found


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

    A name that cannot be used is Invalid, at `pointer`; ConstraintViolated what its integration is not allowed.
    """
    chosen = _find_model(principal, name, otherwise, pointer)
    principal.check_constraints(model=chosen.name)
    return chosen


def _find_model(principal: Principal, name: str | None, otherwise: uuid.UUID | None, pointer: str) -> Model:
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
        for conversation_id, user_id in rows.execute(_MEMBERS, {"conversations": list(found)}):
            found[conversation_id] += (user_id,)
    return found
