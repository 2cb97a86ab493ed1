"""What a request of an integration says besides its body."""

import uuid

from django.http import HttpRequest

from chatcore.accounts.ninja import principal_of
from chatcore.accounts.principals import Principal
from chatcore.accounts.tokens import user_of_token
from chatcore.errors import Forbidden, Malformed, Unauthenticated
from external.selectors import UNPROVEN_USER

DELIVERY = "webhook-id"  # of Standard Webhooks: other systems' ids name nothing here
HOPS = "Chatcore-Hops"
TOKEN = "Chatcore-User-Token"  # noqa: S105 (a header's name)


def principal_of_request(request: HttpRequest) -> Principal:
    """Raises Forbidden for a person: what comes from outside comes from an integration."""
    principal = principal_of(request)
    if principal.integration is None:
        raise Forbidden("Only integrations post messages from outside. Use the key of one.")
    return principal


def token_of(request: HttpRequest) -> str | None:
    """A user's access token that came along."""
    return request.headers.get(TOKEN)


def hops_of(request: HttpRequest) -> int:
    text = request.headers.get(HOPS, "0").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise Malformed(f"{HOPS} is a number.")
    return int(text)


def heard_of(request: HttpRequest) -> uuid.UUID | None:
    """The delivery of a webhook of ours that the request was made of: who forwards one forwards its header."""
    return delivery_named(request.headers.get(DELIVERY, ""))


def delivery_named(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def acting_user(principal: Principal, token: str | None) -> str:
    """Who came along with the integration, so that one key's answer is not given to another user's request."""
    if token is None:
        return str(principal.user.id) if principal.user else ""
    found = user_of_token(token)
    if found is None:
        raise Unauthenticated(UNPROVEN_USER)
    return f"token:{found[0].id}"
