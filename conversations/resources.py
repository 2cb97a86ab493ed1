"""Conversations and messages as the API shows them, the same from its DRF and its Ninja half."""

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from conversations.attachments import attachments_of
from conversations.models import Attachment, Comparison, Conversation, Member, Message, Receipt


class ConversationResource(BaseModel):
    """A conversation as one reader has it."""

    id: uuid.UUID
    title: str
    model: str | None = Field(
        description="The model that answers unless a message names another; null: the default."
    )
    system: str = Field(description="Instructions every reply follows.")
    params: dict[str, Any] = Field(description="Model parameters of every reply.")
    active_leaf: uuid.UUID | None = Field(description="The last message of the branch the reader sees.")
    pinned: bool
    archived: bool
    unread: int = Field(description="Messages of others you have not read yet.")
    created_at: datetime
    last_message_at: datetime

    @classmethod
    def of(cls, conversation: Conversation, member: Member) -> "ConversationResource":
        return cls(
            id=conversation.id,
            title=conversation.title,
            model=conversation.model.name if conversation.model else None,
            system=conversation.system,
            params=conversation.params,
            active_leaf=conversation.active_leaf_id,
            pinned=member.pinned,
            archived=member.archived_at is not None,
            unread=member.unread,
            created_at=conversation.created_at,
            last_message_at=member.last_message_at,
        )


class AttemptResource(BaseModel):
    """A deployment that was considered for a reply."""

    deployment: str
    provider: str
    model: str
    outcome: str = Field(
        description="`answered`, or why it did not: `unavailable`, `timeout`, `stopped`, …; "
        "one that was `circuit_open` or `busy` was not asked."
    )
    seconds: float = Field(description="To its first token, to its failure, or until it was stopped.")

    @classmethod
    def of(cls, attempt: dict[str, Any]) -> "AttemptResource":
        known = {"deployment": "", "provider": "", "model": "", "outcome": "", "seconds": 0.0} | attempt
        return cls(**{name: known[name] for name in cls.model_fields})


class ToolCallResource(BaseModel):
    """A call the model asks for. `arguments` is the JSON text it wrote, which need not be valid."""

    id: str
    name: str
    arguments: str


class AttachmentResource(BaseModel):
    """A file that goes with a message. `{id}/content` has its bytes."""

    id: uuid.UUID
    message: uuid.UUID | None = Field(description="null: it waits for its message, at most a day.")
    name: str = Field(description="Without the path it came from, ending as its type does.")
    media_type: str = Field(description="As its bytes say, whatever was said of it.")
    size: int = Field(
        description="Bytes as they are kept. An image is written anew, without what its file said."
    )
    sha256: str = Field(description="Of these bytes.")
    width: int | None = Field(description="Pixels of an image.")
    height: int | None
    created_at: datetime

    @classmethod
    def of(cls, attachment: Attachment) -> "AttachmentResource":
        named = {name: getattr(attachment, name) for name in cls.model_fields if name != "message"}
        return cls(**named, message=attachment.message_id)


class MessageResource(BaseModel):
    """One node of a conversation's tree. The fields from `model` on tell of replies."""

    id: uuid.UUID
    conversation: uuid.UUID
    parent: uuid.UUID | None = Field(description="The message it was written below; null: none.")
    author: Literal["user", "assistant", "agent", "integration", "system"]
    text: str
    status: Literal["queued", "streaming", "done", "failed", "stopped"] = Field(
        description="A message is done from the start; a reply is queued, then streaming, then one of the others."
    )
    attachments: list[AttachmentResource] = Field(description="The files that go with it.")
    client_id: uuid.UUID | None = Field(description="The id its sender made for it.")
    created_at: datetime
    model: str | None = Field(description="The name of the model that replies.")
    reasoning: str = Field(description="What the model thought before it answered, if it shows that.")
    attempt: int = Field(description="How often a worker has begun it; each begins with an empty text.")
    error: dict[str, Any] | None = Field(description="Why a reply failed: code, detail, retryable.")
    usage: dict[str, Any] | None = Field(description="Tokens as the provider counted them; null is unknown.")
    route: list[AttemptResource] = Field(description="The deployments that were considered, in order.")
    tool_calls: list[ToolCallResource] = Field(description="What the model wants to be called.")
    tool_call: str = Field(description="Of a tool's result: the id of its call.")
    dropped: list[str] = Field(
        description="What was left out: parameters its provider does not know, or whose value it refused; "
        "`answer_length`, where `max_tokens` was more than its model writes; `images`, which its model does not "
        "take; `documents`, where they were cut to what it can read."
    )
    finish_reason: str = Field(description="Why the model ended, in the provider's word.")
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, message: Message) -> "MessageResource":
        named = {name: getattr(message, name) for name in cls.model_fields if name not in _RENAMED}
        return cls(
            **named,
            conversation=message.conversation_id,
            parent=message.parent_id,
            model=message.model_name or None,
            attachments=[AttachmentResource.of(each) for each in attachments_of(message)],
            route=[AttemptResource.of(attempt) for attempt in message.route],
        )


_RENAMED = {"conversation", "parent", "model", "attachments", "route"}


class ReceiptResource(BaseModel):
    """How far a message has come with one recipient."""

    recipient: str = Field(description="`user:<id>`, `integration:<id>`, or a channel's own name.")
    state: Literal["delivered", "read"]
    delivered_at: datetime | None
    read_at: datetime | None

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptResource":
        return cls.model_validate(receipt, from_attributes=True)


class PresenceResource(BaseModel):
    """Whether somebody of a conversation is there."""

    author: str = Field(description="`user:<id>` or `integration:<id>`.")
    name: str
    state: Literal["online", "away", "offline"]


class PresenceList(BaseModel):
    """Everybody of the conversation."""

    results: list[PresenceResource]


class PostedResource(BaseModel):
    """What a posted message led to. `status_url` is where the reply can be read until it has ended."""

    message: MessageResource
    reply: MessageResource | None = Field(description="null: none was wanted.")
    replies: list[MessageResource] = Field(
        description="Every reply: of a comparison each model's, in the order in which they were named."
    )
    status_url: str | None


class ComparisonResource(BaseModel):
    """Which of several models' replies to one message was preferred."""

    id: uuid.UUID
    conversation: uuid.UUID
    message: uuid.UUID
    prompt: str = Field(description="The message's text.")
    models: list[str] = Field(description="The names of the models that replied.")
    chosen: uuid.UUID = Field(description="The preferred reply.")
    chosen_model: str
    chosen_by: str = Field(description="`user:<id>` or `integration:<id>`.")
    chosen_at: datetime

    @classmethod
    def of(cls, comparison: Comparison) -> "ComparisonResource":
        """Of one in which a reply is chosen, with its message and that reply."""
        assert comparison.chosen is not None
        assert comparison.chosen_at is not None
        return cls(
            id=comparison.id,
            conversation=comparison.conversation_id,
            message=comparison.message_id,
            prompt=comparison.message.text,
            models=comparison.model_names,
            chosen=comparison.chosen.id,
            chosen_model=comparison.chosen.model_name,
            chosen_by=comparison.chosen_by,
            chosen_at=comparison.chosen_at,
        )
