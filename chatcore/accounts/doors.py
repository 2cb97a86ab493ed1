"""What the doors of the API ask of a request before they look at it: who sends it, and whether the rate allows it."""

from django.http import HttpRequest

from chatcore.accounts.authenticators import remember, vouched
from chatcore.accounts.principals import Principal, identify
from chatcore.errors import ChatcoreError
from chatcore.security import limits


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
