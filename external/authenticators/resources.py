"""Authenticators as the API shows them."""

import uuid
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from external.models import Authenticator


class AuthenticatorResource(BaseModel):
    """A way in which an integration proves who it is. Its requests name it in X-Authenticator."""

    id: uuid.UUID
    integration: uuid.UUID
    name: str
    kind: str
    options: dict[str, Any]
    has_secret: bool = Field(description="Whether a secret is stored; it is never shown.")
    enabled: bool
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None = Field(description="To the minute; null: never.")

    @classmethod
    def of(cls, authenticator: Authenticator) -> "AuthenticatorResource":
        named = {name: getattr(authenticator, name) for name in cls.model_fields if name != "integration"}
        return cls(integration=authenticator.integration_id, **named)
