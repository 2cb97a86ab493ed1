"""What clients send about sources."""

import uuid
from typing import Annotated, Any, ClassVar

from pydantic import Field, StrictBool

from chatcore.bodies import Body

ABSENT: Any = None
Name = Annotated[str, Field(min_length=1, max_length=100)]
Secret = Annotated[str, Field(max_length=1_000)]


class SourceChanges(Body):
    """What to change; what is not named stays. A secret of "" is forgotten."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"enabled": True}

    name: Name = ABSENT
    secrets: dict[str, Secret] = Field(
        ABSENT, max_length=10, description="Those its adapter knows. Stored encrypted and never shown again."
    )
    settings: dict[str, Any] = Field(ABSENT, description="Those its adapter knows, see docs/adapters.md.")
    enabled: StrictBool = ABSENT


class NewSource(SourceChanges):
    """An address at which a vendor posts messages of an integration."""

    EXAMPLE = {
        "integration": "0199a2b4-7c1e-7d3f-8a55-0c1d2e3f4a5b",
        "adapter": "twilio",
        "name": "Support line",
        "secrets": {"auth_token": "…"},
        "settings": {"account_sid": "AC00000000000000000000000000000000"},
    }

    integration: uuid.UUID
    adapter: str = Field(max_length=50, description="twilio, slack, generic, or one of an installed package.")
    name: Name
