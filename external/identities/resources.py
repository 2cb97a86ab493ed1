"""Identities as the API shows them."""

import uuid
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, StrictBool

from chatcore.bodies import Body
from external.models.identities import Identity

Verified = Annotated[
    StrictBool, Field(description="Whether it is this user's for certain; of one user at most it is true.")
]


class IdentityResource(BaseModel):
    """A handle on a channel and the user it is of, or who claims it."""

    id: uuid.UUID
    user: uuid.UUID
    channel: str
    value: str = Field(description="As it is compared: telephone numbers in E.164, e-mail addresses folded.")
    verified_at: datetime | None = Field(
        description="null: claimed, so that messages from it are not this user's."
    )
    verified_by: str | None = Field(description="`user:<id>` or `integration:<id>`.")
    created_at: datetime

    @classmethod
    def of(cls, identity: Identity) -> "IdentityResource":
        return cls(
            id=identity.id,
            user=identity.user_id,
            channel=identity.channel,
            value=identity.value,
            verified_at=identity.verified_at,
            verified_by=identity.verified_by or None,
            created_at=identity.created_at,
        )


class IdentityChanges(Body):
    """Whether the identity is verified. A handle that changes is another identity."""

    EXAMPLE: ClassVar = {"verified": True}

    verified: Verified


class NewIdentity(Body):
    """A handle of a member of the workspace."""

    EXAMPLE: ClassVar = {
        "user": "0191f2a4-7c11-7d02-9a53-6b1f0c2e8d47",
        "channel": "sms",
        "value": "+43 660 9876543",
    }

    user: uuid.UUID
    channel: str = Field(max_length=40, description="`sms`, `phone`, `email`, `slack` … in small letters.")
    value: str = Field(max_length=254, description="Telephone numbers with their country code.")
    verified: Verified = False
