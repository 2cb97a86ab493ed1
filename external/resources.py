"""External messages as the API shows them."""

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from chatcore.errors import ChatcoreError
from conversations.models import Message
from conversations.resources import MessageResource
from external.intake import Accepted, Outcome
from external.models import IntakeMessage


def address_of(message_id: uuid.UUID) -> str:
    return f"/api/v1/intake/messages/{message_id}/"


class IntakeResource(BaseModel):
    """A message that was accepted. `status_url` tells where it came from and how its reply stands."""

    message: MessageResource
    conversation: uuid.UUID
    reply: MessageResource | None = Field(description="null: none was wanted.")
    strategy: str = Field(description="How the user of the message was found.")
    duplicate: bool = Field(description="It had been accepted before; this is the first one.")
    status_url: str

    @classmethod
    def of(cls, accepted: Accepted) -> "IntakeResource":
        return cls(
            message=MessageResource.of(accepted.message),
            conversation=accepted.conversation_id,
            reply=MessageResource.of(accepted.reply) if accepted.reply else None,
            strategy=accepted.strategy,
            duplicate=accepted.duplicate,
            status_url=address_of(accepted.message.id),
        )


class BatchResult(BaseModel):
    """What became of one item of a batch."""

    status: Literal["accepted", "duplicate", "rejected"]
    external_id: str | None
    message: uuid.UUID | None
    conversation: uuid.UUID | None
    reply: uuid.UUID | None
    strategy: str | None
    problem: dict[str, Any] | None = Field(description="Why it was rejected (RFC 9457).")

    @classmethod
    def of(cls, outcome: Outcome, external_id: str | None, instance: str) -> "BatchResult":
        """`instance` is the request's id."""
        if isinstance(outcome, ChatcoreError):
            return cls.rejected(outcome, external_id, instance)
        return cls(
            status="duplicate" if outcome.duplicate else "accepted",
            external_id=external_id,
            message=outcome.message.id,
            conversation=outcome.conversation_id,
            reply=outcome.reply.id if outcome.reply else None,
            strategy=outcome.strategy,
            problem=None,
        )

    @classmethod
    def rejected(cls, error: ChatcoreError, external_id: str | None, instance: str) -> "BatchResult":
        return cls(
            status="rejected",
            external_id=external_id,
            message=None,
            conversation=None,
            reply=None,
            strategy=None,
            problem=error.problem(instance),
        )


class BatchResource(BaseModel):
    """What became of a batch, item by item in its order."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[BatchResult]

    @classmethod
    def of(cls, results: list[BatchResult]) -> "BatchResource":
        counts = [result.status for result in results]
        return cls(
            accepted=counts.count("accepted"),
            duplicates=counts.count("duplicate"),
            rejected=counts.count("rejected"),
            results=results,
        )


class ExternalMessageResource(BaseModel):
    """Where a message came from, and how its reply stands."""

    message: MessageResource
    conversation: uuid.UUID
    reply: MessageResource | None
    integration: uuid.UUID
    key: uuid.UUID | None = Field(description="The key it was sent with; null: an adapter or a schedule.")
    source: str = Field(description="The door it came through: api, batch, an adapter's name, schedule.")
    strategy: str = Field(description="How the user of the message was found.")
    external_id: str | None
    thread: str
    hops: int = Field(description="How many systems it had passed.")
    metadata: dict[str, Any]
    accepted_at: datetime

    @classmethod
    def of(cls, row: IntakeMessage, reply: Message | None) -> "ExternalMessageResource":
        return cls(
            message=MessageResource.of(row.message),
            conversation=row.message.conversation_id,
            reply=MessageResource.of(reply) if reply else None,
            integration=row.integration_id,
            key=row.key_id,
            source=row.source,
            strategy=row.strategy,
            external_id=row.external_id,
            thread=row.thread,
            hops=row.hops,
            metadata=row.metadata,
            accepted_at=row.accepted_at,
        )
