"""Every kind of authenticator this installation knows: our own, and those of installed packages."""

import functools
from collections.abc import Mapping

from chatcore.plugins import installed
from external.authenticators.proofs import Given, Verifier
from external.authenticators.signatures import SignatureVerifier
from external.authenticators.tokens import TokenVerifier

ENTRY_POINTS = "chatcore.authenticators"
OURS: Mapping[str, type[Verifier]] = {"signature": SignatureVerifier, "jwt": TokenVerifier}


def kinds() -> dict[str, type[Verifier]]:
    """Classes by the name an Authenticator row calls them."""
    return {**OURS, **_installed()}


def build(kind: str, given: Given) -> Verifier:
    """Raises ValueError where there is no such kind, or what is given cannot be used."""
    found = kinds().get(kind)
    if found is None:
        raise ValueError(f"no kind of authenticator is called {kind!r}")
    unknown = sorted(given.options.keys() - found.OPTIONS.keys())
    if unknown:
        raise ValueError(f"there is no option {', '.join(unknown)}")
    return found(given)


@functools.cache
def _installed() -> dict[str, type[Verifier]]:
    return installed(ENTRY_POINTS, "authenticators", OURS)
