"""Sources as the API shows them."""

import uuid
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from external.models import Source
from external.sources.opening import secret_names


class SourceResource(BaseModel):
    """An address at which a vendor posts messages of an integration."""

    id: uuid.UUID
    integration: uuid.UUID
    adapter: str
    name: str
    url: str = Field(description="What is pasted at the vendor.")
    secrets: list[str] = Field(description="Names of those that are stored; they are never shown.")
    settings: dict[str, Any]
    enabled: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, source: Source) -> "SourceResource":
        return cls(
            id=source.id,
            integration=source.integration_id,
            adapter=source.adapter,
            name=source.name,
            url=source.address,
            secrets=secret_names(source),
            settings=source.settings,
            enabled=source.enabled,
            created_at=source.created_at,
            updated_at=source.updated_at,
        )
