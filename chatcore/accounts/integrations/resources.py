"""Integrations and keys as the API shows and takes them."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, Field, StrictBool

from chatcore.accounts.constraints import Constraints
from chatcore.accounts.keys import OVERLAP
from chatcore.accounts.models import Integration, Key
from chatcore.bodies import Body

ABSENT: Any = None
HOURS = int(OVERLAP.total_seconds()) // 3600
Grants = Annotated[
    list[Annotated[str, Field(max_length=120)]],
    Field(max_length=200, description="`resource:action` or `resource:action:selector`."),
]
Networks = Annotated[
    list[Annotated[str, Field(max_length=43)]],
    Field(max_length=100, description="Addresses or networks (CIDR) its keys may come from; empty: any."),
]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class IntegrationConstraints(Constraints):
    """What narrows an integration beside its grants. What is absent or null limits nothing."""

    tokens_per_day: Annotated[int, Field(strict=True, ge=1, le=10**12)] | None = None
    money_per_day: Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=4)] | None = Field(
        None, description="In USD. Calls whose price is unknown are not counted."
    )

    def given(self) -> dict[str, Any]:
        """As JSON has it, without what limits nothing."""
        return self.model_dump(mode="json", exclude_none=True)


class IntegrationResource(BaseModel):
    """An outside system with an identity of its own."""

    id: uuid.UUID
    name: str
    acts_as: uuid.UUID | None = Field(description="The user whose conversations it reads and writes.")
    grants: list[str]
    allowed_addresses: list[str]
    constraints: IntegrationConstraints
    enabled: bool
    created_at: datetime

    @classmethod
    def of(cls, integration: Integration, amounts: dict[str, Decimal]) -> "IntegrationResource":
        names = ("id", "name", "grants", "allowed_addresses", "enabled", "created_at")
        return cls(
            **{name: getattr(integration, name) for name in names},
            acts_as=integration.acts_as_id,
            constraints=IntegrationConstraints.model_validate({**integration.constraints, **_plain(amounts)}),
        )


def _plain(amounts: dict[str, Decimal]) -> dict[str, Any]:
    return {name: int(amount) if name == "tokens_per_day" else amount for name, amount in amounts.items()}


class IntegrationChanges(Body):
    """What is to change of an integration; what is not named stays."""

    EXAMPLE: ClassVar = {"enabled": False}

    name: Name = ABSENT
    acts_as: uuid.UUID | None = Field(
        None, description="Your own id, or null: it owns no conversations and sees none."
    )
    grants: Grants = ABSENT
    allowed_addresses: Networks = ABSENT
    constraints: IntegrationConstraints = Field(ABSENT, description="All of them: others end.")
    enabled: StrictBool = ABSENT

    def given(self) -> dict[str, Any]:
        fields = super().given()
        if self.constraints is not None and "constraints" in fields:
            fields["constraints"] = self.constraints.given()
        return fields


class NewIntegration(IntegrationChanges):
    """An integration. Its keys are made one by one afterwards."""

    EXAMPLE: ClassVar = {
        "name": "Disk alerts",
        "role": "system",
        "allowed_addresses": ["192.0.2.0/24"],
        "constraints": {"requests_per_minute": 60},
    }

    name: Name
    role: Literal["agent", "system", "gateway", "reader"] = Field(
        ABSENT, description="Adds the grants of this role to those that are named."
    )


class KeyResource(BaseModel):
    """One key of an integration, without its text."""

    id: uuid.UUID
    hint: str = Field(description="How its text begins.")
    live: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Written once a minute at most.")

    @classmethod
    def of(cls, key: Key) -> "KeyResource":
        return cls(**_shown(key))


class MadeKeyResource(KeyResource):
    """A key that was made just now, with its text."""

    key: str = Field(description="The whole text. It is shown this once and kept nowhere.")

    @classmethod
    def made(cls, key: Key, text: str) -> "MadeKeyResource":
        return cls(**_shown(key), key=text)


def _shown(key: Key) -> dict[str, Any]:
    names = ("id", "created_at", "expires_at", "revoked_at", "last_used_at")
    return {name: getattr(key, name) for name in names} | {"hint": str(key), "live": key.is_live}


class NewKey(Body):
    """A key."""

    EXAMPLE: ClassVar = {"expires_at": "2035-01-01T00:00:00Z"}

    expires_at: AwareDatetime | None = Field(
        None, description="When it ends by itself; absent or null: never."
    )


class Rotation(Body):
    """A new key for an old one."""

    EXAMPLE: ClassVar = {"overlap_hours": 24}

    overlap_hours: Annotated[int, Field(strict=True, ge=0, le=168)] = Field(
        HOURS, description=f"How long the key before it lives on; absent: {HOURS}."
    )
