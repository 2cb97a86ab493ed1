"""The action behind a chat completion: the dialogue into its conversation, the reply into the queue."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from django.db import transaction

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid
from chatcore.offload import offload
from chatcore.prepared import plans_kept
from chatcore.texts import checked_text
from chatcore.together import Together, or_alone
from conversations import actions
from conversations.actions import Spoken
from conversations.actions.access import find_model, lock_conversation
from conversations.actions.conversations import new_conversation
from conversations.asking import LARGE
from conversations.models import Conversation
from external.items import MAX_THREAD
from external.models import Completion
from external.openai.dialogue import digest, instructions
from external.openai.files import Sent
from external.openai.placing import WRITE, Place, find_place
from external.openai.requests import ChatRequest

Attachments: TypeAlias = Mapping[int, Sequence[uuid.UUID]]

NEW = "new"  # as the name of a conversation: always another one


@dataclass(frozen=True)
class Asking:
    """A checked request, and where it belongs."""

    principal: Principal
    request: ChatRequest
    dialogue: Sequence[Spoken]
    place: Place
    thread: str
    sent: Sent


async def placed(principal: Principal, request: ChatRequest, header: str) -> Asking:
    """`header` names the conversation, else `metadata.conversation` does, else `user`: by its id, or by any name."""
    named = header or request.conversation
    if request.is_plain and not named:
        return _placed(principal, request, named)
    return await offload(plans_kept()(_placed), principal, request, named)


def _placed(principal: Principal, request: ChatRequest, named: str) -> Asking:
    """Nothing is looked up for a plain request that names nothing: it begins a conversation."""
    identifier = _identifier(named)
    name = "" if identifier or named == NEW else named
    thread = checked_text(name, "/metadata/conversation", limit=MAX_THREAD, required=False)
    dialogue, sent = request.dialogue()
    if not instructions(dialogue)[1] or dialogue[-1].role == "assistant":
        detail = "The last message must be somebody's to whom the model replies."
        raise Invalid(detail, errors=[FieldProblem("/messages", detail, "nothing_to_answer")])
    place = find_place(principal, dialogue, identifier, thread, begins=named == NEW)
    if any(spoken.files for spoken in place.new):
        # Nothing is fetched or kept for whom it would be refused then.
        principal.require_any(WRITE)
        find_model(principal, request.model)
    return Asking(principal, request, dialogue, place, thread, sent)


@dataclass(frozen=True, eq=False)
class _Question:
    """What is to be stored. `attachments` are the files of what is new, by their messages' places."""

    asking: Asking
    reply_id: uuid.UUID
    attachments: Attachments


async def ask(asking: Asking, reply_id: uuid.UUID, attachments: Attachments) -> None:
    """Store what is new of the dialogue and queue the reply; conversations that one asker begins at this moment are
    stored together.
    """
    question = _Question(asking, reply_id, attachments)
    is_large = sum(len(spoken.text) for spoken in asking.place.new) > LARGE
    if asking.place.conversation is not None or attachments or is_large:
        await offload(_store, [question])
    else:
        await _together(or_alone(_store), question, asking.principal.asker)


_together: Together[_Question, None] = Together(offload)


@plans_kept()
@transaction.atomic
def _store(questions: Sequence[_Question]) -> Sequence[None]:
    """Those of one asker."""
    principal = questions[0].asking.principal
    replies = actions.post_dialogues(principal, [_dialogue(question) for question in questions])
    rows.insert(
        [
            rows.new(
                Completion,
                workspace=principal.workspace,
                reply=reply,
                asker=principal.author,
                thread=question.asking.thread,
                digest=digest(*instructions(question.asking.dialogue)),
            )
            for question, reply in zip(questions, replies, strict=True)
        ]
    )
    return [None] * len(questions)


def _dialogue(question: _Question) -> actions.Dialogue:
    asking = question.asking
    system, _ = instructions(asking.dialogue)
    return actions.Dialogue(
        _conversation(asking.principal, asking.place, system),
        asking.place.new,
        asking.place.parent,
        question.reply_id,
        asking.request.model,
        asking.request.params,
        question.attachments,
    )


def _conversation(principal: Principal, place: Place, system: str) -> Conversation:
    """Locked, with the instructions of this request; or a new one."""
    if place.conversation is None:
        principal.require(WRITE)
        return new_conversation(principal, system=system, conversation_id=place.conversation_id)
    conversation = lock_conversation(principal, place.conversation_id, WRITE)
    if system and system != conversation.system:
        return actions.update_conversation(principal, place.conversation_id, system=system)
    return conversation


def _identifier(named: str) -> str:
    try:
        return str(uuid.UUID(named))
    except ValueError:
        return ""
