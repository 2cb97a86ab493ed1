"""Principals at the doors made with Ninja: `NinjaAPI(auth=PrincipalAuth())`, then `principal_of(request)`."""

from django.http import HttpRequest
from ninja.security.base import AuthBase

from chatcore.accounts.csrf import refuse_forged
from chatcore.accounts.doors import admit_live
from chatcore.accounts.principals import Principal
from chatcore.errors import Unauthenticated, UnsupportedMedia
from chatcore.offload import in_request


class PrincipalAuth(AuthBase):
    """Ninja exempts its views from CSRF and reads JSON under any content type, so a foreign page's plain
    form could post with a visitor's cookie: both are checked here. `content_types` may be widened per route.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, content_types: tuple[str, ...] = ("application/json",)) -> None:
        super().__init__()
        self.is_async = True
        self.content_types = content_types

    async def __call__(self, request: HttpRequest) -> Principal:
        principal = await admit_live(request)
        if principal is None:
            raise Unauthenticated
        if _has_body(request) and request.content_type not in self.content_types:
            raise UnsupportedMedia
        if principal.credential == "session":
            await in_request(refuse_forged, request)
        return principal


def principal_of(request: HttpRequest) -> Principal:
    """Of a request that `PrincipalAuth` let in."""
    principal: Principal = request.auth  # type: ignore[attr-defined]
    return principal


def _has_body(request: HttpRequest) -> bool:
    return (
        request.headers.get("Content-Length", "0") not in ("", "0") or "Transfer-Encoding" in request.headers
    )
