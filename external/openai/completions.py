"""The action behind a chat completion: the dialogue into its conversation, the reply into the queue."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid
from chatcore.prepared import plans_kept
from chatcore.texts import checked_text
from conversations import actions
from conversations.actions import Spoken
from conversations.actions.access import find_model, lock_conversation
from conversations.actions.conversations import new_conversation
from conversations.models import Conversation, Message
from external.items import MAX_THREAD
from external.models import Completion
from external.openai.dialogue import digest, instructions
from external.openai.files import Sent
from external.openai.placing import WRITE, Place, find_place
from external.openai.requests import ChatRequest

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


@plans_kept()
def place_request(principal: Principal, request: ChatRequest, header: str) -> Asking:
    """`header` names the conversation, else `metadata.conversation` does, else `user`: by its id, or by any name."""
    named = header or str((request.metadata or {}).get("conversation") or "") or request.user or ""
    identifier = _identifier(named)
    name = "" if identifier or named == NEW else named
    thread = checked_text(name, "/metadata/conversation", limit=MAX_THREAD, required=False)
    dialogue, sent = request.dialogue()
    if not instructions(dialogue)[1] or dialogue[-1].role == "assistant":
        detail = "The last message must be somebody's to whom the model replies."
        raise Invalid(detail, errors=[FieldProblem("/messages", detail, "nothing_to_answer")])
    place = find_place(principal, dialogue, identifier, thread, begins=named == NEW)
    if any(
        spoken.files for spoken in place.new
    ):  # nothing is fetched or kept for whom it would be refused then
        principal.require_any(WRITE)
        find_model(principal, request.model)
    return Asking(principal, request, dialogue, place, thread, sent)


@plans_kept()
@transaction.atomic
def ask(asking: Asking, reply_id: uuid.UUID, attachments: Mapping[int, Sequence[uuid.UUID]]) -> Message:
    """Store what is new of the dialogue and queue the reply. `attachments` are its files, by their messages' places."""
    principal, place = asking.principal, asking.place
    system, _ = instructions(asking.dialogue)
    posted = actions.post_dialogue(
        principal,
        _conversation(principal, place, system),
        place.new,
        parent=place.parent,
        reply_id=reply_id,
        model=asking.request.model,
        params=asking.request.params,
        attachments=attachments,
    )
    assert posted.reply
    completion = Completion(
        workspace=principal.workspace,
        reply=posted.reply,
        asker=principal.author,
        thread=asking.thread,
        digest=digest(*instructions(asking.dialogue)),
    )
    rows.insert([completion])
    return posted.reply


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
