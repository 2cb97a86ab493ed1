"""Requests of the pages: their sender is known, and times are told in the reader's own zone."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django_htmx.middleware import HtmxDetails

from chatcore.accounts.web import PrincipalRequest, with_principal

ZONE_COOKIE = "timezone"  # written by static/js/early.js
P = ParamSpec("P")


class PageRequest(PrincipalRequest):
    """A request for a page or a part of one."""

    htmx: HtmxDetails


def page(
    view: Callable[Concatenate[PageRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """A view for people who are signed in, rendered in the time zone their browser names."""

    @with_principal
    @wraps(view)
    def local(request: PrincipalRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        with timezone.override(_zone(request)):
            return view(request, *args, **kwargs)  # type: ignore[arg-type]

    return local


def wants_part(request: PageRequest) -> bool:
    """Whether htmx asks, and not for a page to go back to, which has to be whole."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def show(request: PageRequest, template: str, part: str, context: dict[str, object]) -> HttpResponse:
    """The page, or only its part of that name if htmx asks."""
    name = f"{template}#{part}" if wants_part(request) else template
    response = render(request, name, context)
    response["Vary"] = "HX-Request, Cookie"
    response["Cache-Control"] = "no-store"
    return response


def text_of(request: HttpRequest, name: str) -> str:
    """A field's text with the line ends it was typed with: forms send every one as CR LF."""
    return request.POST.get(name, "").replace("\r\n", "\n")


def uuid_of(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


def _zone(request: HttpRequest) -> ZoneInfo:
    try:
        return ZoneInfo(request.COOKIES.get(ZONE_COOKIE, "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
