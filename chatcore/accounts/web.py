"""Principals at the pages: a view under `with_principal` has `request.principal`; others go and sign in."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django_htmx.http import HttpResponseClientRedirect

from chatcore.accounts.principals import Principal, identify

P = ParamSpec("P")


class PrincipalRequest(HttpRequest):
    """A request whose sender is known."""

    principal: Principal


def with_principal(
    view: Callable[Concatenate[PrincipalRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Pages know sessions only: a key or token in a header does not open them."""

    @wraps(view)
    def known(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        principal = identify(session=request.session, user=request.user)
        if principal is None:
            return _sign_in(request)
        request.principal = principal  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)  # type: ignore[arg-type]

    return known


def _sign_in(request: HttpRequest) -> HttpResponseBase:
    """A fragment must not be filled with the sign-in page, so htmx is told to leave the page for it."""
    if "HX-Request" not in request.headers:
        return redirect_to_login(request.get_full_path())
    page = getattr(request, "htmx", None) and request.htmx.current_url_abs_path  # type: ignore[attr-defined]
    return HttpResponseClientRedirect(redirect_to_login(page or "/").url)
