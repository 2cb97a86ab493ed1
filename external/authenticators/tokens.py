"""Tokens (JWT, RFC 7519) of an identity provider of the customer's own, checked with the keys it publishes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import jwt
from cryptography.exceptions import UnsupportedAlgorithm

from chatcore.errors import ChatcoreError
from chatcore.security.outbound import check_url
from external.authenticators.key_sets import signing_key
from external.authenticators.proofs import Given, Presented, Proof
from external.identities.handles import checked_channel
from external.sections.options import Shape

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MAX_LENGTH = 8192
LEEWAY = 30
MAPPINGS = ("integration", "email", "identity")
LONGEST_ONCE = timedelta(hours=24)
UNREADABLE = (
    jwt.PyJWTError,
    UnsupportedAlgorithm,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
SMALLEST_RSA, LARGEST_RSA = 2048, 8192


class TokenVerifier:
    """Only asymmetric algorithms: nobody who knows a public key can make a token."""

    LABEL: ClassVar = "Token (JWT) of your own identity provider"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "issuer": "what `iss` must be",
        "audience": "what `aud` must be or contain",
        "jwks_url": "where the provider publishes its keys",
        "algorithms": "list of those taken, by default all asymmetric ones",
        "user": "`integration` (the user it acts as), `email` (the member with the token's address) or `identity`",
        "channel": "for `identity`: the channel on which the handle is verified to be a member's",
        "claim": "for `identity`: which claim holds the handle, by default `sub`",
        "unverified_email": "true: an address counts although the token does not call it verified",
        "once": "true: each token is good for one request, known by its `jti`",
    }
    SHARED: ClassVar = ""
    SHAPES: ClassVar[Mapping[str, Shape]] = {
        "algorithms": "lines",
        "user": MAPPINGS,
        "unverified_email": "flag",
        "once": "flag",
    }

    def __init__(self, given: Given) -> None:
        options = given.options
        self.id = given.id
        self.issuer, self.audience, self.jwks_url = (
            _text(options, name) for name in ("issuer", "audience", "jwks_url")
        )
        self.algorithms = options.get("algorithms", list(ALGORITHMS))
        named = self.algorithms if isinstance(self.algorithms, list) else []
        if not named or any(each not in ALGORITHMS for each in named):
            raise ValueError(f"algorithms must be a list of some of {', '.join(ALGORITHMS)}")
        self.mapping = options.get("user", "integration")
        if self.mapping not in MAPPINGS:
            raise ValueError("user must be integration, email or identity")
        self.channel = _channel(options) if self.mapping == "identity" else ""
        self.claim = options.get("claim", "sub")
        if not isinstance(self.claim, str):
            raise ValueError("claim must be a text")
        self.unverified_email, self.once = _flag(options, "unverified_email"), _flag(options, "once")
        try:
            check_url(self.jwks_url)
        except ChatcoreError as refusal:
            raise ValueError(f"jwks_url: {refusal.detail}") from None

    def verify(self, presented: Presented) -> Proof | None:
        token = _bearer(presented.headers.get("authorization", ""))
        claims = self._claims(token) if 0 < len(token) <= MAX_LENGTH else None
        if claims is None:
            return None
        user = self._user(claims)
        if user is None:
            return None
        if not self.once:
            return Proof(user, self.channel)
        token_id, until = claims.get("jti"), datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        if not isinstance(token_id, str) or not token_id or until > datetime.now(UTC) + LONGEST_ONCE:
            return None
        return Proof(user, self.channel, token_id, until)

    def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self.algorithms or "crit" in header:
                return None
            key = self._key(header["alg"], header.get("kid"))
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except UNREADABLE:
            return None
        return claims

    def _key(self, algorithm: str, key_id: object) -> jwt.PyJWK | None:
        """One the provider published for signing, of the type that goes with the algorithm."""
        found = signing_key(self.id, self.jwks_url, key_id if isinstance(key_id, str) else None)
        if found is None or found.get("use", "sig") != "sig" or found.get("alg", algorithm) != algorithm:
            return None
        key = jwt.PyJWK(found, algorithm=algorithm)
        too_small = key.key_type == "RSA" and not SMALLEST_RSA <= key.key.key_size <= LARGEST_RSA
        return None if too_small else key

    def _user(self, claims: Mapping[str, Any]) -> str | None:
        if self.mapping == "integration":
            return ""
        if self.mapping == "identity":
            handle = claims.get(self.claim)
            return handle if isinstance(handle, str) and handle else None
        address, verified = claims.get("email"), claims.get("email_verified") is True
        if not isinstance(address, str) or not address or not (verified or self.unverified_email):
            return None
        return address


def _bearer(authorization: str) -> str:
    scheme, _, text = authorization.strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _text(options: Mapping[str, Any], name: str) -> str:
    value = options.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be given")
    return value


def _channel(options: Mapping[str, Any]) -> str:
    try:
        return checked_channel(_text(options, "channel"))
    except ChatcoreError as refusal:
        raise ValueError(refusal.detail) from None


def _flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value
