"""Principals at the live doors: what a WebSocket's or an event stream's ASGI scope says of who asks."""

from collections.abc import Mapping, MutableMapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import constant_time_compare

from chatcore.accounts.authenticators import HEADER, remember, remembered, renewed, vouched
from chatcore.accounts.doors import Admission, Given, admitted
from chatcore.accounts.models import User
from chatcore.accounts.principals import Principal, identify
from chatcore.errors import ChatcoreError, Forbidden
from chatcore.offload import offload
from chatcore.security.addresses import client_address
from chatcore.security.limits import charge_address


class ForeignOrigin(Forbidden):
    """A page of another site may not open a stream with your session."""

    code = "foreign_origin"
    remedy = "Open the stream from a page of this server, or with a key or token in place of the session."


Credentials = tuple[str, ...]
_DECIDING = ("authorization", "x-api-key", "cookie", "x-workspace", "origin", "host")


async def principal_of(scope: MutableMapping[str, Any], body: bytes | None = None) -> Principal | None:
    """As `identify`, away from the event loop. Raises ForeignOrigin where a session comes from elsewhere.

    `body` is what was sent, empty for handshakes and streams; None where what is open already asks again.
    """
    principal = await offload(_identify, _headers(scope), _address(scope), body, remembered(scope))
    remember(scope, principal)
    return principal


async def admitted_at(scope: Mapping[str, Any]) -> Admission | None:
    """Who asks with a key or token, having paid for the request; None where anything else decides."""
    given = Given.of(_headers(scope), lambda: _address(scope))
    return None if given is None else await admitted(given)


def credentials_of(scope: Mapping[str, Any]) -> Credentials:
    """All that `principal_of` looks at: who has the same is the same. An authenticator may look at every header."""
    headers = _headers(scope)
    if HEADER.lower() in headers:
        return (*(f"{name}: {headers[name]}" for name in sorted(headers)), _address(scope))
    return (*(headers.get(name, "") for name in _DECIDING), _address(scope))


def _headers(scope: Mapping[str, Any]) -> Mapping[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _address(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    claims = (
        value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"
    )
    return client_address(client[0] if client else "", ",".join(claims))


def _identify(
    headers: Mapping[str, str], address: str, body: bytes | None, known: Principal | None
) -> Principal | None:
    if known is not None:
        return renewed(known, address)
    session = _session_of(headers)
    try:
        principal = vouched(headers, None if body is None else lambda: body, address) or identify(
            authorization=headers.get("authorization"),
            api_key=headers.get("x-api-key"),
            session=session,
            user=_user_of(session),
            workspace=headers.get("x-workspace"),
            address=address,
        )
    except ChatcoreError:
        charge_address(address)
        raise
    if principal is not None and principal.credential == "session" and not _same_origin(headers):
        raise ForeignOrigin
    return principal


def _session_of(headers: Mapping[str, str]) -> SessionBase:
    key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return session


def _user_of(session: SessionBase) -> User | AnonymousUser:
    """Like Django's get_user, but without renewing a session signed with a former SECRET_KEY: the new
    session's cookie could not reach the browser from here."""
    backend_path = str(session.get(BACKEND_SESSION_KEY))
    if backend_path not in settings.AUTHENTICATION_BACKENDS:
        return AnonymousUser()
    user = load_backend(backend_path).get_user(session[SESSION_KEY])
    if not isinstance(user, User):
        return AnonymousUser()
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    signed_as = session.get(HASH_SESSION_KEY, "")
    return user if any(constant_time_compare(signed_as, known) for known in hashes) else AnonymousUser()


def _same_origin(headers: Mapping[str, str]) -> bool:
    """Browsers name the origin in every WebSocket handshake and every foreign request; others need not."""
    origin = headers.get("origin")
    if origin is None:
        return True
    if origin in (settings.PUBLIC_URL, *settings.CSRF_TRUSTED_ORIGINS):
        return True
    host = headers.get("host", "").lower()
    domain, _ = split_domain_port(host)
    return urlsplit(origin).netloc.lower() == host and validate_host(domain, settings.ALLOWED_HOSTS)
