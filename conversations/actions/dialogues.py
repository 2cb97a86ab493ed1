"""The action of clients that keep the dialogue themselves: several messages at once, and a reply to the last."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db import transaction

from chatcore.accounts.principals import Principal
from conversations.actions.access import find_model
from conversations.actions.messages import Posted
from conversations.actions.posting import Posting, write
from conversations.actions.replies import new_reply
from conversations.attachments import attach, attachments_of
from conversations.models import Attachment, Conversation, Message


@dataclass(frozen=True)
class Spoken:
    """One message: `role` is system, user, assistant or tool. `calls` as Message.tool_calls, `call` as .tool_call.

    `files` are whatever tells apart what comes with it; of stored messages it is not known.
    """

    role: str
    text: str
    calls: list[dict[str, str]] = field(default_factory=list)
    call: str = ""
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: Message) -> "Spoken":
        if message.tool_call:
            role = "tool"
        elif message.is_reply:
            role = "assistant"
        else:
            role = "system" if message.author == Message.Author.SYSTEM else "user"
        return cls(role, message.text, message.tool_calls, message.tool_call)


AUTHORS = {
    "system": Message.Author.SYSTEM,
    "user": Message.Author.USER,
    "assistant": Message.Author.ASSISTANT,
    "tool": Message.Author.USER,
}


@transaction.atomic
def post_dialogue(
    principal: Principal,
    conversation: Conversation,
    spoken: Sequence[Spoken],
    *,
    parent: uuid.UUID | None,
    reply_id: uuid.UUID,
    model: str | None = None,
    params: dict[str, Any] | None = None,
    attachments: Mapping[int, Sequence[uuid.UUID]] = MappingProxyType({}),
) -> Posted:
    """Add what was said, of which there must be something, below `parent` one below the other, and queue the model's
    reply to the last of it. The conversation is locked, or new and not stored yet.

    The words are the user's who speaks through the client, so a model reads them as they are. `attachments` are files
    of the principal's that wait for a message, by its place in `spoken`.
    """
    is_new = conversation._state.adding
    responder = find_model(principal, model, otherwise=conversation.model_id)
    messages = _messages(principal, conversation, spoken, parent, reply_id)
    reply = new_reply(principal, messages[-1], responder, params, reply_id)
    files = {place: _attached(principal, messages[place], ids) for place, ids in attachments.items() if ids}
    last = len(messages) - 1
    postings = [
        Posting(principal, conversation, message, [reply] if place == last else (), files.get(place, ()))
        for place, message in enumerate(messages)
    ]
    write(postings, started=[conversation] if is_new else [])
    return Posted(messages[-1], reply)


def _attached(principal: Principal, message: Message, ids: Sequence[uuid.UUID]) -> list[Attachment]:
    attach(message, ids, principal)
    return attachments_of(message)


def _messages(
    principal: Principal,
    conversation: Conversation,
    spoken: Sequence[Spoken],
    parent: uuid.UUID | None,
    reply_id: uuid.UUID,
) -> list[Message]:
    messages = []
    for left, one in zip(range(len(spoken), 0, -1), spoken, strict=True):
        message_id = uuid.UUID(int=reply_id.int - left)  # sorts before the reply, whose id was made first
        messages.append(
            Message(
                id=message_id,
                workspace_id=conversation.workspace_id,
                conversation=conversation,
                parent_id=parent,
                author=AUTHORS[one.role],
                user=principal.user,
                integration=principal.integration,
                text=one.text,
                tool_calls=one.calls,
                tool_call=one.call,
            )
        )
        parent = message_id
    return messages
