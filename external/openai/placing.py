"""Where a client's dialogue goes on: in which conversation, below which message, and what of it is new there."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from chatcore.accounts.principals import Principal
from chatcore.errors import NotFound
from chatcore.ids import uuid7
from conversations.actions.access import find_conversation
from conversations.actions.dialogues import Spoken
from conversations.models import Conversation, Message
from external.models import Completion
from external.openai.dialogue import digest, halves, instructions

WRITE = "messages:write"
CANDIDATES = 5  # replies to the same dialogue that are compared with what the client has of its answer
PATH_READ = 1_000


@dataclass(frozen=True)
class Place:
    """`conversation` is None for a new one, whose id will be `conversation_id`; `new` is to be added below `parent`."""

    conversation_id: uuid.UUID
    conversation: Conversation | None
    parent: uuid.UUID | None
    new: Sequence[Spoken]


def find_place(
    principal: Principal, dialogue: Sequence[Spoken], named: str, thread: str, *, begins: bool = False
) -> Place:
    """`named` is a conversation's id, `thread` the client's own name for one; both may be empty. `begins`: in none.

    A dialogue with answers of the model in it is the whole of what the model shall read: it goes on below the
    reply it repeats, or below what the reader sees if that is the same, else it begins a branch of its own.
    Without answers it is what is new in a conversation that was named; in none it begins one.
    """
    system, spoken = instructions(dialogue)
    known, new = halves(spoken)
    if begins:
        return Place(uuid7(), None, None, spoken)
    conversation = _named(principal, named, thread)
    if not known:
        leaf = conversation.active_leaf_id if conversation else None
        return Place(conversation.id if conversation else uuid7(), conversation, leaf, new)
    reply = _repeated(principal, conversation, system, known)
    if reply is not None:
        return Place(reply.conversation_id, reply.conversation, reply.id, new)
    if conversation is None:
        return Place(uuid7(), None, None, spoken)
    if _is_shown(conversation, known):
        return Place(conversation.id, conversation, conversation.active_leaf_id, new)
    return Place(conversation.id, conversation, None, spoken)


def _named(principal: Principal, named: str, thread: str) -> Conversation | None:
    """By its id, else by the name under which the same client has asked before; NotFound for an id of others."""
    if named:
        try:
            return find_conversation(principal, uuid.UUID(named), WRITE)
        except ValueError:
            raise NotFound from None
    if not thread:
        return None
    asked = Completion.objects.filter(
        workspace=principal.workspace, asker=principal.author, thread=thread
    ).order_by("-id")
    last = asked.values_list("reply__conversation", flat=True).first()
    if last is None:
        return None
    allowed = Conversation.objects.for_principal(principal, WRITE)
    found: Conversation | None = allowed.filter(id=last).first()
    return found


def _repeated(
    principal: Principal, conversation: Conversation | None, system: str, known: Sequence[Spoken]
) -> Message | None:
    """The reply whose question and answer the client sends again."""
    asked = Completion.objects.filter(
        workspace=principal.workspace, asker=principal.author, digest=digest(system, known[:-1])
    )
    if conversation is not None:
        asked = asked.filter(reply__conversation=conversation)
    rows = asked.select_related("reply__conversation").order_by("-id")[:CANDIDATES]
    same = (row.reply for row in rows if Spoken.of(row.reply) == known[-1])
    reply: Message | None = next(same, None)
    if reply is None:
        return None
    allowed = Conversation.objects.for_principal(principal, WRITE)
    return reply if allowed.filter(id=reply.conversation_id).exists() else None


def _is_shown(conversation: Conversation, known: Sequence[Spoken]) -> bool:
    if conversation.active_leaf_id is None:
        return False
    path = Message.objects.path(conversation.active_leaf_id, PATH_READ)
    return [Spoken.of(message) for message in path] == list(known)
