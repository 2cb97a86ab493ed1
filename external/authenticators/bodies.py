"""What clients send to authenticators. Whether it may be done, the actions decide."""

import uuid
from typing import Annotated, Any, ClassVar

from pydantic import Field, StrictBool

from chatcore.bodies import Body

Name = Annotated[str, Field(min_length=1, max_length=100)]
ABSENT: Any = None


class AuthenticatorChanges(Body):
    """What to change; what is not named stays."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"enabled": False}

    name: Name = ABSENT
    options: dict[str, Any] = Field(ABSENT, description="Those its kind knows, see docs/authentication.md.")
    secret: str = Field(
        ABSENT,
        max_length=10_000,
        description="For kinds that share one. Stored encrypted and never shown again.",
    )
    enabled: StrictBool = ABSENT


class NewAuthenticator(AuthenticatorChanges):
    """A way in which an integration proves who it is."""

    EXAMPLE = {
        "integration": "0197a0c4-3a5e-7b1c-9d2f-6e8a4b0c1d2e",
        "name": "Our identity provider",
        "kind": "jwt",
        "options": {
            "issuer": "https://id.example.com/",
            "audience": "chatcore",
            "jwks_url": "https://id.example.com/keys",
        },
    }

    integration: uuid.UUID
    name: Name
    kind: str = Field(max_length=50, description="`signature`, `jwt`, or one of an installed package.")
