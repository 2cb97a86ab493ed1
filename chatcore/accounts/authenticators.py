"""Proofs of identity besides keys, tokens and sessions. A request names who is to judge its proof in X-Authenticator.

Who can judge registers a function (`AppConfig.ready`); the doors ask it before they look at anything else.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeAlias

from chatcore.accounts.principals import Principal, require_address
from chatcore.errors import NotFound, Unauthenticated

HEADER = "X-Authenticator"
Authenticate: TypeAlias = Callable[[Mapping[str, str], bytes | None], Principal | None]
Renew: TypeAlias = Callable[[Principal], Principal | None]
PROVEN = "chatcore.proven"  # in a connection's ASGI scope


class _Known(NamedTuple):
    authenticate: Authenticate
    renew: Renew


_known: dict[str, _Known] = {}


def register(name: str, authenticate: Authenticate, renew: Renew) -> None:
    """`authenticate(headers, body)` returns whom the proof is of, or None where it is not good. Uses the database.

    Names of headers are in lower case. The body is as it was sent; it is None where what is open already asks again.
    A proof that is good once is not good then: `renew(principal)` returns what it is worth now, or None.
    """
    _known[name] = _Known(authenticate, renew)


def remember(scope: MutableMapping[str, Any], principal: Principal | None) -> None:
    """Who has proven itself by what is good once need not do so again while its request or connection lasts."""
    if principal is not None and principal.proven_by is not None:
        scope[PROVEN] = principal


def remembered(scope: Mapping[str, Any]) -> Principal | None:
    found: Principal | None = scope.get(PROVEN)
    return found


def renewed(principal: Principal, address: str) -> Principal:
    """What somebody who is remembered may do now. Raises Unauthenticated, AddressNotAllowed."""
    for each in _known.values():
        now = each.renew(principal)
        if now is not None:
            require_address(now.integration, address)
            return now
    raise Unauthenticated


def is_vouched_for(headers: Mapping[str, str]) -> bool:
    """Whether the request brings a proof. `headers` knows no case, or small letters only."""
    return HEADER.lower() in headers


def vouched(
    headers: Mapping[str, str], read_body: Callable[[], bytes] | None, address: str
) -> Principal | None:
    """Whom a request's proof is of; None where it names no authenticator. `address` is the client's.

    Raises Unauthenticated, AddressNotAllowed, NotFound.
    """
    given = {name.lower(): value for name, value in headers.items()}
    if HEADER.lower() not in given:
        return None
    if "x-api-key" in given:
        raise Unauthenticated
    body = read_body() if read_body else None
    for each in _known.values():
        principal = each.authenticate(given, body)
        if principal is not None:
            require_address(principal.integration, address)
            if given.get("x-workspace", str(principal.workspace.pk)) != str(principal.workspace.pk):
                raise NotFound
            return principal
    raise Unauthenticated
