"""What the doors of the API ask of a request before they look at it: who sends it, and whether the rate allows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.http import HttpRequest

from chatcore.accounts.authenticators import is_vouched_for, remember, vouched
from chatcore.accounts.principals import Principal, identify
from chatcore.errors import ChatcoreError, TooMany
from chatcore.offload import in_request, offload
from chatcore.security import limits
from chatcore.together import Together


def admit(request: HttpRequest) -> Principal | None:
    """The principal, who has paid for the request; None where it carries no credentials.

    Uses the database. Raises what `identify` raises, for which the address pays, and TooMany.
    """
    address = limits.address_of(request)
    try:
        principal = vouched(request.headers, lambda: request.body, address) or identify(
            authorization=request.headers.get("Authorization"),
            api_key=request.headers.get("X-API-Key"),
            session=getattr(request, "session", None),
            user=getattr(request, "user", None),
            workspace=request.headers.get("X-Workspace"),
            address=address,
        )
    except ChatcoreError:
        request.META[limits.RATES] = limits.charge_address(address)
        raise
    if principal is not None:
        request.META[limits.RATES] = principal.rates
        remember(getattr(request, "scope", {}), principal)
        limits.charge(principal)
    return principal


async def admit_live(request: HttpRequest) -> Principal | None:
    """`admit` for the event loop. Requests with the same key or token that come at once are looked up once."""
    given = Given.of(request.headers, lambda: limits.address_of(request))
    if given is None:
        return await in_request(admit, request)
    admission = await _of_requests(partial(_admit, given), None, given)
    request.META[limits.RATES] = admission.rates
    return admission.principal


async def admitted(given: "Given") -> "Admission":
    """`admit_live` for a door that is not Django's."""
    return await _of_others(partial(_admit, given), None, given)


@dataclass(frozen=True)
class Given:
    """All that decides who sends a request without a session."""

    authorization: str | None
    api_key: str | None
    workspace: str | None
    address: str

    @classmethod
    def of(cls, headers: Mapping[str, str], address: Callable[[], str]) -> "Given | None":
        """None where more decides: a proof, which is of one request only, or a session. Headers have small letters."""
        authorization, api_key = headers.get("authorization"), headers.get("x-api-key")
        bears = (authorization or "").lstrip()[:7].lower() == "bearer "
        if is_vouched_for(headers) or not (bears or api_key is not None):
            return None
        return cls(authorization, api_key, headers.get("x-workspace"), address())


@dataclass(frozen=True)
class Admission:
    """Who it is or why nobody is let in, and how far what has paid for the request is used up."""

    found: Principal | ChatcoreError
    rates: limits.Rates

    @property
    def principal(self) -> Principal:
        if isinstance(self.found, ChatcoreError):
            raise self.found
        return self.found


_of_requests: Together[None, Admission] = Together()
_of_others: Together[None, Admission] = Together(offload)


def _admit(given: Given, requests: Sequence[None]) -> list[Admission]:
    try:
        principal = identify(**vars(given))
    except ChatcoreError as error:
        return [_paid_by_address(given.address, error) for _ in requests]
    assert principal is not None, "there is a key or a token"
    try:
        limits.charge(principal, len(requests))
    except (TooMany, limits.CostTooHigh):
        return [_paid(principal) for _ in requests]
    return [_admission(principal) for _ in requests]


def _paid(principal: Principal) -> Admission:
    try:
        limits.charge(principal)
    except TooMany as error:
        return Admission(error, dict(principal.rates))
    return _admission(principal)


def _admission(principal: Principal) -> Admission:
    """A request may pay more later, which is no other's business."""
    own = replace(principal, rates=dict(principal.rates))
    return Admission(own, own.rates)


def _paid_by_address(address: str, error: ChatcoreError) -> Admission:
    try:
        return Admission(error, limits.charge_address(address))
    except ChatcoreError as refused:
        return Admission(refused, {})
