"""The messages a page shows: the newest of the active branch, older ones a page at a time."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import prefetch_related_objects

from conversations.models import Conversation, Message

PAGE = 30


@dataclass(frozen=True)
class Thread:
    """Messages of one branch, oldest first. `older` is whether more stand above them."""

    conversation: Conversation
    messages: Sequence[Message]

    @property
    def older(self) -> bool:
        return bool(self.messages) and self.messages[0].parent_id is not None


def newest(conversation: Conversation) -> Thread:
    return Thread(conversation, _branch(conversation.active_leaf_id, PAGE))


def above(conversation: Conversation, message: Message) -> Thread:
    return Thread(conversation, _branch(message.parent_id, PAGE))


def just_added(conversation: Conversation, message: Message, reply: Message | None) -> Thread:
    """A message and the reply to it."""
    return Thread(conversation, _branch(reply.id, 2) if reply else _branch(message.id, 1))


def drawn(message: Message) -> Message:
    """The message with what drawing it takes."""
    return _branch(message.id, 1)[0]


def _branch(leaf_id: uuid.UUID | None, count: int) -> list[Message]:
    """With what every message is drawn from: its place among its siblings, who wrote it, the summary it ends."""
    messages = Message.objects.branch(leaf_id, count)
    prefetch_related_objects(messages, "integration", "summary")
    return messages
