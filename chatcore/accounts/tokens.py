"""Access and refresh tokens of API clients: allauth's JWT, with issuer and audience, refreshed one at a time.

Tokens are stateful: each names a session, and ends with it (sign-out, password change, deactivation).
"""

from typing import Any

from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy, internal
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

from chatcore.accounts.models import User

AUDIENCE = "chatcore"
MAX_LENGTH = 8192


def issuer() -> str:
    return str(settings.PUBLIC_URL)


def user_of_token(token: str) -> tuple[User, dict[str, Any]] | None:
    """The signed-in user of an access token and its claims; None where any check fails. Two queries."""
    if len(token) > MAX_LENGTH:
        return None
    try:
        found: tuple[User, dict[str, Any]] | None = internal.validate_access_token(token)
    except RecursionError:  # PyJWT parses a deeply nested header before it looks at the signature
        return None
    if found is None or not _is_ours(found[1]):
        return None
    return found


def _is_ours(claims: dict[str, Any]) -> bool:
    return claims.get("iss") == issuer() and claims.get("aud") == AUDIENCE and "exp" in claims


def _session_key(refresh_token: str) -> str | None:
    """Which session a refresh token belongs to; None where the token does not hold."""
    if len(refresh_token) > MAX_LENGTH:
        return None
    try:
        claims = internal.decode_token(refresh_token, "refresh")
    except RecursionError:
        return None
    return internal.session_key_from_sid(claims["sid"]) if claims else None


class TokenStrategy(JWTTokenStrategy):  # type: ignore[misc]
    def get_claims(self, user: User) -> dict[str, Any]:  # noqa: ARG002
        return {"iss": issuer(), "aud": AUDIENCE}

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """A new pair; the old refresh token ends. Which ones are live stands in the session row.

        That row is read, changed and written back, so it is locked: of two calls with one token one wins.
        """
        key = _session_key(refresh_token)
        with transaction.atomic():
            if key is None or not Session.objects.select_for_update().filter(session_key=key).first():
                return None
            pair: tuple[str, str] | None = super().refresh_token(refresh_token)
            return pair

    def _get_access_token(self, request: HttpRequest) -> dict[str, Any] | None:
        """Allauth's own pages ask here what the Authorization header holds: the same checks count there."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        found = user_of_token(token.strip()) if scheme.lower() == "bearer" else None
        return found[1] if found else None
