"""Webhooks and their deliveries as the API shows and takes them."""

import uuid
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from chatcore.bodies import Body
from external.models import Attempt, Delivery, Webhook

ABSENT: Any = None
Url = Annotated[str, Field(max_length=2_000, description="https, and public.")]
Types = Annotated[
    list[Annotated[str, Field(max_length=60)]],
    Field(max_length=20, description="Names of events as in docs/events.md; `*` stands for any part of one."),
]
Filter = Annotated[
    dict[str, Any] | None,
    Field(
        description="A condition on the event as it travels, see docs/webhooks.md; null: all of these types."
    ),
]
Payload = Annotated[
    Literal["full", "thin"], Field(description="`thin`: ids alone, nothing that was written.")
]
Description = Annotated[str, Field(max_length=200)]
Ordered = Annotated[
    StrictBool, Field(description="The next is not sent before the one before it is delivered or given up.")
]


class WebhookResource(BaseModel):
    """An address that is told what happens. Its secret is shown when it is made, and never again."""

    id: uuid.UUID
    url: str
    description: str
    types: list[str]
    filter: dict[str, Any] | None
    payload: Literal["full", "thin"]
    ordered: bool
    version: int = Field(description="Of the form of what is sent.")
    integration: uuid.UUID | None = Field(
        description="Whose key made it: that alone confirms its deliveries."
    )
    status: Literal["pending", "active", "disabled"] = Field(
        description="`pending`: its address has not answered the challenge."
    )
    reason: Literal["", "person", "gone", "failing"] = Field(description="Why it is disabled.")
    challenge_error: str = Field(description="What was wrong with the last answer to the challenge.")
    failures: int = Field(description="In a row, since something was delivered.")
    failing_since: datetime | None
    held_until: datetime | None = Field(
        description="Nothing is sent before that: it failed, or asked to wait."
    )
    rotated_at: datetime | None = Field(
        description="When its secret was replaced; the old one signs for 24 hours more."
    )
    activated_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookResource":
        names = cls.model_fields.keys() - {"integration"}
        return cls(
            integration=webhook.integration_id, **{name: getattr(webhook, name) for name in sorted(names)}
        )


class WebhookSecretResource(WebhookResource):
    """A webhook with the secret that its receiver verifies signatures with. It is shown this once."""

    secret: str = Field(description="`whsec_…`, as libraries of Standard Webhooks take it.")

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookSecretResource":
        return cls(secret=webhook.secret, **WebhookResource.of(webhook).model_dump())


class WebhookChanges(Body):
    """What is to change of a webhook; what is not named stays. A new address is asked for its consent first."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"types": ["message.created"], "payload": "thin"}

    url: Url = ABSENT
    description: Description = ABSENT
    types: Types = ABSENT
    filter: Filter = ABSENT
    payload: Payload = ABSENT
    ordered: Ordered = ABSENT
    version: Literal[1] = ABSENT


class NewWebhook(WebhookChanges):
    """An address, and what it wants to be told."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "url": "https://hooks.example.com/chatcore",
        "types": ["message.created", "reply.*"],
        "filter": {"path": "data.author", "ne": "integration"},
    }

    url: Url
    types: Types


class DeliveryAttemptResource(BaseModel):
    """One time it was sent."""

    number: int
    started_at: datetime
    duration_ms: int | None
    status: int | None = Field(description="Of the HTTP answer; null: there was none.")
    code: str = Field(description="Why there was none, as in /api/docs/errors, or `sender_lost`.")
    answer: str = Field(description="Its first 4 KiB.")
    next_at: datetime | None = Field(description="When it was to be sent again.")

    @classmethod
    def of(cls, attempt: Attempt) -> "DeliveryAttemptResource":
        return cls(**{name: getattr(attempt, name) for name in cls.model_fields})


class DeliveryResource(BaseModel):
    """One event on its way to one webhook."""

    id: uuid.UUID = Field(description="The `webhook-id` header of every attempt.")
    webhook: uuid.UUID
    event: int
    type: str
    conversation: uuid.UUID | None
    message: uuid.UUID | None
    status: Literal["pending", "sending", "delivered", "dead"]
    attempts: int
    next_at: datetime | None = Field(description="When it is sent next; null: not any more.")
    ended_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryResource":
        return cls(**_shown(delivery))


class DeliveryDetailResource(DeliveryResource):
    """A delivery with what is sent and every attempt."""

    body: str = Field(description="What is signed and sent, to the byte, in UTF-8.")
    log: list[DeliveryAttemptResource]

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryDetailResource":
        log = [DeliveryAttemptResource.of(attempt) for attempt in delivery.log.all()]
        return cls(body=delivery.body, log=log, **_shown(delivery))


def _shown(delivery: Delivery) -> dict[str, Any]:
    names = ("id", "event", "conversation", "message", "status", "attempts", "ended_at", "created_at")
    is_waiting = delivery.status == Delivery.Status.PENDING
    return {name: getattr(delivery, name) for name in names} | {
        "webhook": delivery.webhook_id,
        "type": delivery.event_type,
        "next_at": delivery.due_at if is_waiting else None,
    }


class Redelivery(Body):
    """Which deliveries to send again: those that are dead, of all times unless some are named."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"from": "2026-11-22T08:00:00Z", "to": "2026-11-22T09:30:00Z"}

    from_: AwareDatetime | None = Field(None, alias="from", description="Made at this time or later.")
    to: AwareDatetime | None = Field(None, description="Made before this time.")
    delivered: StrictBool = Field(False, description="Also those that were delivered; needs `from`.")

    @model_validator(mode="after")
    def _bounded(self) -> "Redelivery":
        if self.delivered and self.from_ is None:
            raise PydanticCustomError("from_needed", "names no time from which on to deliver again")
        return self


class Redelivered(BaseModel):
    """How many deliveries are sent again."""

    count: int


class DeliveryState(Body):
    """What has become of the message on its way on."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"state": "delivered", "channel": "sms"}

    state: Literal["delivered", "read"]
    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] | None = Field(
        None, description="The channel's own name, as the receipt shows it; without one, yours."
    )
