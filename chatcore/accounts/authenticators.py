"""Proofs of identity besides keys, tokens and sessions. A request names who is to judge its proof in X-Authenticator.

Who can judge registers a function (`AppConfig.ready`); the doors ask it before they look at anything else.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from chatcore.accounts.principals import Principal, require_address
from chatcore.errors import NotFound, Unauthenticated

HEADER = "X-Authenticator"
Authenticate: TypeAlias = Callable[[Mapping[str, str], bytes | None], Principal | None]
_known: dict[str, Authenticate] = {}


def register(name: str, function: Authenticate) -> None:
    """`function(headers, body)` returns whom the proof is of, or None where it is not good. Uses the database.

    Names of headers are in lower case. The body is as it was sent; it is None at the doors of streams, which have
    none and ask again while they are open: a proof that is good once only is not good there.
    """
    _known[name] = function


def is_vouched_for(headers: Mapping[str, str]) -> bool:
    """Whether the request brings a proof. `headers` is a request's, which knows no case."""
    return HEADER in headers


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
    for authenticate in _known.values():
        principal = authenticate(given, body)
        if principal is not None:
            require_address(principal.integration, address)
            if given.get("x-workspace", str(principal.workspace.pk)) != str(principal.workspace.pk):
                raise NotFound
            return principal
    raise Unauthenticated
