"""Django's own middleware on the event loop: those that look at headers and cookies only need no thread for it.

Django calls each of them in a thread, twice for each request, which takes longer than most of our answers. What they
do is the same; only how an asynchronous server calls them differs.
"""

from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import sync_to_async
from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware


class OnLoop:
    """Before a middleware of Django's, whose methods must not wait for anything."""

    get_response: Any

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        early: HttpResponseBase | None = None
        if begin := getattr(self, "process_request", None):
            early = begin(request)
        response: HttpResponseBase = early or await self.get_response(request)
        return await self.finish(request, response)

    async def finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        end: Callable[[HttpRequest, HttpResponseBase], HttpResponseBase] | None
        end = getattr(self, "process_response", None)
        return end(request, response) if end else response


class Security(OnLoop, SecurityMiddleware):
    pass


class ContentPolicy(OnLoop, CSPMiddleware):
    pass


class Session(OnLoop, SessionMiddleware):
    async def finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """A changed session is written to the database."""
        if request.session.modified:
            end: Any = super().process_response  # takes streams too, whatever its types say
            return cast(HttpResponseBase, await sync_to_async(end)(request, response))
        return await super().finish(request, response)


class Locale(OnLoop, LocaleMiddleware):
    pass


class Common(OnLoop, CommonMiddleware):
    pass


class Csrf(OnLoop, CsrfViewMiddleware):
    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if self.async_mode:
            later: Any = self._process_view_later
            self.process_view = later  # type: ignore[method-assign]

    async def _process_view_later(
        self, request: HttpRequest, callback: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Only what is not exempt has its form read."""
        checked = super().process_view
        if getattr(callback, "csrf_exempt", False):
            return checked(request, callback, args, kwargs)
        return await sync_to_async(checked)(request, callback, args, kwargs)


class Authentication(OnLoop, AuthenticationMiddleware):
    pass


class Messages(OnLoop, MessageMiddleware):
    async def finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Messages that were read or added are kept in a cookie or the session."""
        messages = getattr(request, "_messages", None)
        if messages is not None and (messages.used or messages.added_new):
            end: Any = super().process_response  # takes streams too, whatever its types say
            return cast(HttpResponseBase, await sync_to_async(end)(request, response))
        return response


class Frames(OnLoop, XFrameOptionsMiddleware):
    pass
