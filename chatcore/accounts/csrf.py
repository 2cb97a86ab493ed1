"""Forged requests: what a browser sends along with its session cookie must also carry the page's token."""

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from chatcore.errors import Forbidden


class Forged(Forbidden):
    """The request came with a session cookie but without a valid CSRF token."""

    code = "csrf"
    remedy = (
        "Send the value of the cookie `csrftoken` in X-CSRFToken, or a key or token in place of the cookie."
    )


class _Check(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:  # noqa: ARG002
        raise Forged(reason)


def refuse_forged(request: HttpRequest) -> None:
    """Django's check, for views that its middleware passes over. Raises Forged."""
    check = _Check(lambda _: HttpResponse())
    request.csrf_processing_done = False  # type: ignore[attr-defined]
    check.process_request(request)
    check.process_view(request, _unmarked_view, (), {})


def _unmarked_view(request: HttpRequest) -> HttpResponse:
    """Stands for the view: one that is not exempt, whatever the real one is marked as."""
    raise NotImplementedError
