"""The action of clients that keep the dialogue themselves: several messages at once, and a reply to the last."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from typing import Any

from django.db import transaction

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.llm.models import Model
from conversations.actions.access import find_model
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


@dataclass(frozen=True, eq=False)
class Dialogue:
    """What is to be added to a conversation that is locked, or new and not stored yet: `spoken`, of which there must be
    something, below `parent` one below the other, and a reply of the model to the last of it.

    The words are the user's who speaks through the client, so a model reads them as they are. `attachments` are files
    of the principal's that wait for a message, by its place in `spoken`.
    """

    conversation: Conversation
    spoken: Sequence[Spoken]
    parent: uuid.UUID | None
    reply_id: uuid.UUID
    model: str | None = None
    params: dict[str, Any] | None = None
    attachments: Mapping[int, Sequence[uuid.UUID]] = field(default_factory=dict)


@transaction.atomic
def post_dialogues(principal: Principal, dialogues: Sequence[Dialogue]) -> list[Message]:
    """Add them in a few statements, however many they are; each in a conversation of its own. Returns the replies."""
    started = [each.conversation for each in dialogues if each.conversation._state.adding]
    find = cache(partial(find_model, principal))
    postings = [
        _postings(principal, each, find(each.model, otherwise=each.conversation.model_id))
        for each in dialogues
    ]
    write([*chain.from_iterable(postings)], started=started)
    return [each[-1].replies[0] for each in postings]


def _postings(principal: Principal, dialogue: Dialogue, responder: Model) -> list[Posting]:
    conversation, messages = dialogue.conversation, _messages(principal, dialogue)
    reply = new_reply(principal, messages[-1], responder, dialogue.params, dialogue.reply_id)
    files = {
        place: _attached(principal, messages[place], ids)
        for place, ids in dialogue.attachments.items()
        if ids
    }
    last = len(messages) - 1
    return [
        Posting(principal, conversation, message, [reply] if place == last else (), files.get(place, ()))
        for place, message in enumerate(messages)
    ]


def _attached(principal: Principal, message: Message, ids: Sequence[uuid.UUID]) -> list[Attachment]:
    attach(message, ids, principal)
    return attachments_of(message)


def _messages(principal: Principal, dialogue: Dialogue) -> list[Message]:
    messages, parent = [], dialogue.parent
    for left, one in zip(range(len(dialogue.spoken), 0, -1), dialogue.spoken, strict=True):
        # It sorts before the reply, whose id was made first.
        message_id = uuid.UUID(int=dialogue.reply_id.int - left)
        messages.append(
            rows.new(
                Message,
                id=message_id,
                workspace_id=dialogue.conversation.workspace_id,
                conversation=dialogue.conversation,
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
