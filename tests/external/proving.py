"""Authenticators and requests that prove something, as plain functions; `probed` are doors that say who came in."""

import base64
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from chatcore.accounts.grants import EVERYTHING
from chatcore.accounts.models import Integration, User, Workspace
from external.models import Authenticator
from tests.accounts.factories import make_member, make_workspace
from tests.api import make_client
from tests.external.identity_provider import AUDIENCE, ISSUER, IdentityProvider

DRF, NINJA = "/api/v1/drf/", "/api/v1/ninja"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
probed = pytest.mark.urls("tests.accounts.urls")


def make_integration(
    workspace: Workspace | None = None, *, acts_as: User | None = None, grants: Sequence[str] = (EVERYTHING,)
) -> Integration:
    """With a name that no other factory gives."""
    if workspace is None:
        workspace = Workspace.objects.filter(memberships__user=acts_as).first() or make_workspace()
    name = f"Outside {uuid.uuid4()}"
    return Integration.objects.create(workspace=workspace, name=name, acts_as=acts_as, grants=list(grants))


def _owner() -> User:
    return make_member(role="owner", email=f"{uuid.uuid4()}@example.com")


def make_authenticator(kind: str = "signature", **fields: Any) -> Authenticator:
    """Of a new integration that acts for a new owner, unless one is given."""
    owner = fields.pop("integration", None) or make_integration(acts_as=_owner())
    fields = {"secret": SECRET if kind == "signature" else ""} | fields
    made: Authenticator = Authenticator.objects.create(
        integration=owner, kind=kind, name=uuid.uuid4().hex, **fields
    )
    return made


def make_jwt_authenticator(provider: IdentityProvider, **changes: Any) -> Authenticator:
    fields = {"integration": changes.pop("integration", None)}
    options = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": provider.url} | changes
    return make_authenticator("jwt", options=options, **fields)


def ask(
    authenticator: Authenticator,
    *,
    method: str = "POST",
    body: bytes = b"{}",
    door: str = DRF,
    **headers: str,
) -> Any:
    """`_` in a header's name stands for `-`."""
    named = {"X-Authenticator": str(authenticator.pk)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return make_client().generic(method, door, body, content_type="application/json", headers=named)


def signed(body: bytes = b"{}", *, secret: str = SECRET, at: float = 0, name: str = "") -> dict[str, str]:
    """The headers of a signed request, made by a library that is not ours; `at` is seconds from now."""
    name, moment = name or f"msg_{uuid.uuid4().hex}", datetime.fromtimestamp(int(time.time() + at), UTC)
    mark = Webhook(secret).sign(name, moment, body.decode())
    return {
        "webhook_id": name,
        "webhook_timestamp": str(int(moment.timestamp())),
        "webhook_signature": mark,
    }


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
