"""The messages a page shows: the newest of the active branch, older ones a page at a time."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import prefetch_related_objects

from conversations.models import Comparison, Conversation, Message

PAGE = 30


@dataclass(frozen=True)
class Thread:
    """Messages of one branch, oldest first. `older` is whether more stand above them.

    `compared` are the replies at its end that wait side by side for one of them to be chosen.
    """

    conversation: Conversation
    messages: Sequence[Message]
    compared: Sequence[Message] = ()

    @property
    def older(self) -> bool:
        return bool(self.messages) and self.messages[0].parent_id is not None


def newest(conversation: Conversation) -> Thread:
    messages, compared = _branch(conversation.active_leaf_id, PAGE), _compared(conversation)
    return Thread(conversation, messages[:-1] if compared else messages, compared)


def above(conversation: Conversation, message: Message) -> Thread:
    return Thread(conversation, _branch(message.parent_id, PAGE))


def just_added(conversation: Conversation, message: Message, reply: Message | None) -> Thread:
    """A message and the reply to it, or the replies."""
    if reply and reply.comparison_id:
        return Thread(conversation, _branch(message.id, 1), _compared(conversation))
    return Thread(conversation, _branch(reply.id, 2) if reply else _branch(message.id, 1))


def drawn(message: Message) -> Message:
    """The message with what drawing it takes."""
    if message.comparison_id:
        for reply in _compared(message.conversation):
            if reply.id == message.id:
                return reply
    return _branch(message.id, 1)[0]


def _compared(conversation: Conversation) -> list[Message]:
    """The replies of an open comparison that the branch ends with; one alone is compared with nothing."""
    ends = Comparison.objects.filter(replies=conversation.active_leaf_id, chosen=None)
    ids = Message.objects.filter(comparison__in=ends).order_by("id").values_list("id", flat=True)
    replies = [reply for reply_id in ids for reply in _branch(reply_id, 1)]
    for reply in replies:
        reply.is_compared = True  # type: ignore[attr-defined]
    return replies if len(replies) > 1 else []


def _branch(leaf_id: uuid.UUID | None, count: int) -> list[Message]:
    """With what it is drawn from: its place among siblings, who wrote it, its comparison, the summary it ends."""
    messages = Message.objects.branch(leaf_id, count)
    prefetch_related_objects(messages, "integration", "comparison", "summary", "attachments")
    return messages
