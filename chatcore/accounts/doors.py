"""What the doors of the API ask of a request before they look at it: who sends it, and whether the rate allows it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.http import HttpRequest

from chatcore.accounts.authenticators import is_vouched_for, vouched
from chatcore.accounts.principals import Principal, identify
from chatcore.errors import ChatcoreError, TooMany
from chatcore.offload import in_request
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
        limits.charge(principal)
    return principal


async def admit_live(request: HttpRequest) -> Principal | None:
    """`admit` for the event loop. Requests with the same key or token that come at once are looked up once."""
    given = _Given.of(request)
    if given is None:
        return await in_request(admit, request)
    admission = await _together(partial(_admit, given), None, given)
    request.META[limits.RATES] = admission.rates
    if isinstance(admission.found, ChatcoreError):
        raise admission.found
    return admission.found


@dataclass(frozen=True)
class _Given:
    """All that decides who sends a request without a session."""

    authorization: str | None
    api_key: str | None
    workspace: str | None
    address: str

    @classmethod
    def of(cls, request: HttpRequest) -> "_Given | None":
        """None where more decides: a proof, which is of one request only, or a session."""
        headers = request.headers
        authorization, api_key = headers.get("Authorization"), headers.get("X-API-Key")
        bears = (authorization or "").lstrip()[:7].lower() == "bearer "
        if is_vouched_for(headers) or not (bears or api_key is not None):
            return None
        return cls(authorization, api_key, headers.get("X-Workspace"), limits.address_of(request))


@dataclass(frozen=True)
class _Admission:
    found: Principal | ChatcoreError
    rates: limits.Rates


_together: Together[None, _Admission] = Together()


def _admit(given: _Given, requests: Sequence[None]) -> list[_Admission]:
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


def _paid(principal: Principal) -> _Admission:
    try:
        limits.charge(principal)
    except TooMany as error:
        return _Admission(error, dict(principal.rates))
    return _admission(principal)


def _admission(principal: Principal) -> _Admission:
    """A request may pay more later, which is no other's business."""
    own = replace(principal, rates=dict(principal.rates))
    return _Admission(own, own.rates)


def _paid_by_address(address: str, error: ChatcoreError) -> _Admission:
    try:
        return _Admission(error, limits.charge_address(address))
    except ChatcoreError as refused:
        return _Admission(refused, {})
