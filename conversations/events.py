"""The conversations' part of the catalogue: events (durable) and signals (moments)."""

import uuid
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chatcore.realtime.catalogue import EventBody, SignalBody
from chatcore.realtime.log import Announcement
from conversations.models import Attachment, Conversation, Message

Part = Literal["text", "reasoning"]  # of what a reply says


class ConversationState(EventBody):
    """What a list shows of a conversation."""

    title: str
    model: str | None


class ConversationCreated(ConversationState, type="conversation.created"):
    """A conversation was started."""


class ConversationUpdated(ConversationState, type="conversation.updated"):
    """Its title, model, parameters, branch or place in somebody's list changed; `changed` names which."""

    changed: tuple[str, ...]


class ConversationDeleted(EventBody, type="conversation.deleted"):
    """It is gone, with everything in it."""


class AttachedFile(BaseModel):
    """A file of a message: /api/v1/attachments/{id}/content has its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: uuid.UUID
    name: str
    media_type: str
    size: int

    @classmethod
    def of(cls, attachment: Attachment) -> "AttachedFile":
        return cls.model_validate({name: getattr(attachment, name) for name in cls.model_fields})


class MessageCreated(EventBody, type="message.created"):
    """A message was added below `parent`."""

    message: uuid.UUID
    parent: uuid.UUID | None
    author: Literal["user", "assistant", "agent", "integration", "system"]
    text: str
    client_id: uuid.UUID | None = None
    attachments: tuple[AttachedFile, ...] = ()


class MessageDeleted(EventBody, type="message.deleted"):
    """A message and everything below it are gone."""

    message: uuid.UUID
    parent: uuid.UUID | None


class ReplyState(EventBody):
    """Which reply, and below which message it stands."""

    message: uuid.UUID
    parent: uuid.UUID | None
    model: str
    attempt: int


class ReplyQueued(ReplyState, type="reply.queued"):
    """A reply waits for a worker."""


class ReplyStarted(ReplyState, type="reply.started"):
    """A worker asks the model."""


class ReplyRestarted(ReplyState, type="reply.restarted"):
    """The text so far is void: another worker or another provider begins anew under this attempt."""


class ReplyEnded(ReplyState):
    text: str
    usage: dict[str, Any] | None = None


class ReplyCompleted(ReplyEnded, type="reply.completed"):
    """The answer is whole. `finish_reason` is stop, length, tool_calls or content_filter; `tool_calls` are what the
    model wants to be called: `{id, name, arguments}` each.
    """

    finish_reason: str = ""
    tool_calls: list[dict[str, str]] = Field(default_factory=list)


class ReplyStopped(ReplyEnded, type="reply.stopped"):
    """Somebody stopped it; the text so far is kept."""


class ReplyFailed(ReplyEnded, type="reply.failed"):
    """It could not be finished; the text so far is kept and `error` says why."""

    error: dict[str, Any]


class ReceiptUpdated(EventBody, type="receipt.updated"):
    """Everything up to `message` has reached the recipient, or was read by it. `unread` is what is left for a member;
    null for others.
    """

    recipient: str
    state: Literal["delivered", "read"]
    message: uuid.UUID
    unread: int | None


class Typing(SignalBody, type="typing"):
    """Somebody is writing, or has stopped. It runs out after six seconds."""

    author: str
    name: str
    on: bool


class ContextSummarised(EventBody, type="context.summarised"):
    """The branch has grown too long for its model: up to and with this message it reads a summary from now on."""

    message: uuid.UUID


class ReplyWaiting(SignalBody, type="reply.waiting"):
    """A started reply waits for a free place at its model's providers. `position` 1 is next; 0 ends the wait. It comes
    when the position changes, and every two seconds for those who join meanwhile.
    """

    message: uuid.UUID
    attempt: int
    position: int


class ReplyDelta(SignalBody, type="reply.delta"):
    """More of a running reply: `offset` counts the characters of the part's text before `text`.

    Web pages get `html` too: finished blocks from index `first` on, and the open `tail` behind them;
    `reset` replaces every block shown.
    """

    message: uuid.UUID
    attempt: int
    part: Part = "text"
    offset: int
    text: str
    html: dict[str, Any] | None = None


def about(
    conversation: Conversation, audience: Iterable[uuid.UUID], actor: str, *bodies: EventBody
) -> list[Announcement]:
    """Announcements about one conversation."""
    return [
        Announcement(
            body=body,
            workspace=conversation.workspace_id,
            conversation=conversation.id,
            actor=actor,
            audience=tuple(audience),
        )
        for body in bodies
    ]


def state_of(conversation: Conversation) -> dict[str, Any]:
    return {"title": conversation.title, "model": conversation.model.name if conversation.model else None}


def message_state(message: Message, files: Iterable[Attachment] = ()) -> dict[str, Any]:
    return {
        "message": message.id,
        "parent": message.parent_id,
        "author": message.author,
        "text": message.text,
        "client_id": message.client_id,
        "attachments": tuple(AttachedFile.of(each) for each in files),
    }


def reply_state(reply: Message) -> dict[str, Any]:
    return {
        "message": reply.id,
        "parent": reply.parent_id,
        "model": reply.model_name,
        "attempt": reply.attempt,
    }
