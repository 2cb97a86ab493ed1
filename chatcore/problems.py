"""Errors on their way out: one problem document (RFC 9457) from every door of the API, a plain page from the web's."""

import json
import logging
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from psycopg_pool import PoolTimeout
from rest_framework import exceptions as drf
from rest_framework.parsers import JSONParser as DRFJSONParser
from rest_framework.settings import api_settings

from chatcore import errors
from chatcore.errors import ChatcoreError, FieldProblem
from chatcore.security import limits

log = logging.getLogger(__name__)

API_PREFIXES = ("/api/", "/events/", "/in/", "/v1/", "/ws/")  # and these without their slash
PROBLEM_TYPE = "application/problem+json"
AUTH_PREFIX = "/api/v1/auth/"
NAMED_PROBLEMS = 20  # what is wrong with one body, at most: an answer must not outgrow its request
BY_STATUS: dict[int, type[ChatcoreError]] = {
    kind.status: kind
    for kind in (
        errors.Malformed,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.Conflict,
        errors.Gone,
        errors.TooLarge,
        errors.UnsupportedMedia,
        errors.Invalid,
        errors.TooMany,
        errors.Unexpected,
        errors.Unavailable,
    )
}


def is_api(request: HttpRequest) -> bool:
    path = f"{request.path.rstrip('/')}/"
    return path.startswith(API_PREFIXES) and not path.startswith(AUTH_PREFIX)


def problem_response(request: HttpRequest, error: ChatcoreError) -> HttpResponse:
    body = error.problem(request_id(request))
    return JsonResponse(body, status=error.status, content_type=PROBLEM_TYPE, headers=problem_headers(error))


def problem_headers(error: ChatcoreError) -> dict[str, str]:
    """What a problem says besides its document."""
    headers = {}
    if error.retry_after is not None or error.retryable:
        headers["Retry-After"] = str(error.retry_after or 2)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="chatcore"'
    return headers


def request_id(request: HttpRequest) -> str:
    """Made once per request; on every answer as X-Request-Id and in every problem as `instance`."""
    made: str = request.META.setdefault("chatcore.request_id", f"req_{uuid.uuid4().hex}")
    return made


def translate(error: BaseException) -> ChatcoreError | None:
    """Our form of an error of Django, DRF, the driver or Python; None if it is a defect of ours."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        log.warning("the database does not answer: %s", error)
    for kinds, make in _TRANSLATIONS:
        if isinstance(error, kinds):
            return make(error)
    return None


def _from_drf(error: drf.APIException) -> ChatcoreError:
    kind = BY_STATUS.get(error.status_code, errors.ChatcoreError)
    if isinstance(error, drf.ValidationError):
        return invalid(_field_problems(error.get_full_details()))
    if isinstance(error, drf.Throttled):
        return errors.TooMany(str(error.detail), retry_after=math.ceil(getattr(error, "wait", None) or 1))
    detail = str(error.detail)
    return kind(detail if kind is not errors.MethodNotAllowed else "")


def _field_problems(details: Any, *places: str) -> Iterator[FieldProblem]:
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        yield FieldProblem(pointer_to(*places), str(details["message"]), str(details["code"]))
    elif isinstance(details, dict):
        for key, value in details.items():
            inner = () if key == api_settings.NON_FIELD_ERRORS_KEY else (str(key),)
            yield from _field_problems(value, *places, *inner)
    elif isinstance(details, list):
        for value in details:
            yield from _field_problems(value, *places)


def invalid(found: Iterable[FieldProblem]) -> errors.Invalid:
    """Its detail names every field too, for those who read only that."""
    named = list(found)[:NAMED_PROBLEMS]
    words = "; ".join(f"{item.pointer.strip('/') or 'body'}: {item.detail}" for item in named)
    return errors.Invalid(words, errors=named)


def pointer_to(*places: object) -> str:
    """A JSON pointer (RFC 6901) to that place of the body; without places it is the whole body."""
    return "".join("/" + str(place)[:100].replace("~", "~0").replace("/", "~1") for place in places)


_OUR_WORDS = {
    "extra_forbidden": ("There is no such field.", "unknown"),
    "missing": ("must be given", "required"),
    "model_type": ("must be a JSON object", "type"),
    "model_attributes_type": ("must be a JSON object", "type"),
}


BRANCH = "\0"  # begins the tag of a union's branch, which is no place of the body


def pydantic_problem(found: Iterable[Mapping[str, Any]]) -> errors.Invalid:
    """Pydantic's findings as the problem of a body."""
    return invalid(
        FieldProblem(_place(item["loc"]), *_OUR_WORDS.get(item["type"], (item["msg"], item["type"])))
        for item in found
    )


def _place(found: Iterable[int | str]) -> str:
    return pointer_to(*(part for part in found if not str(part).startswith(BRANCH)))


def drf_exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    ours = translate(error)
    if ours is None:
        return None
    return problem_response(context["request"]._request, ours)


def read_json(body: bytes, *, most_bytes: int | None = None) -> Any:
    """What a body says, read the same at every door: JSON as RFC 8259 has it, in UTF-8, whatever its header claims."""
    if len(body) > (most_bytes or settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
        raise errors.TooLarge
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError:
        raise errors.Malformed("The JSON is nested too deeply.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise errors.Malformed(f"The body is not JSON: {error}") from None
    except ValueError:
        raise errors.Malformed("The body has a number that is too long.") from None


def _refuse_constant(name: str) -> None:
    raise errors.Malformed(f"The body is not JSON: it has no {name}.")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class JSONParser(DRFJSONParser):
    """DRF's own answers 500 to deep nesting and reads whatever charset the header names."""

    renderer_class = None  # type: ignore[assignment]  # pages to browse the API show an empty body to fill in

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        return read_json(stream.read())


_UNSTORABLE = (
    "Something of it cannot be stored: a text has the character U+0000 or half of one (U+D800 to U+DFFF), "
    "or a number is too large."
)
_AWAY = "The database cannot be reached now. Nothing was stored; try again shortly."
_TRANSLATIONS: list[tuple[Any, Callable[[Any], ChatcoreError]]] = [
    (ChatcoreError, lambda error: error),
    (Http404, lambda _: errors.NotFound()),
    (PermissionDenied, lambda _: errors.Forbidden()),
    (RequestDataTooBig, lambda _: errors.TooLarge()),
    (RecursionError, lambda _: errors.Malformed("The JSON is nested too deeply.")),
    ((OperationalError, InterfaceError, PoolTimeout), lambda _: errors.Unavailable(_AWAY)),
    (ValidationError, lambda error: errors.Invalid(" ".join(error.messages))),
    ((DataError, UnicodeEncodeError), lambda _: errors.Invalid(_UNSTORABLE)),
    (drf.APIException, _from_drf),
]

GetResponse = Callable[[HttpRequest], Any]


class ProblemMiddleware:
    """The outermost one: whatever went wrong inside leaves as a problem, with the request's id on every answer."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self._call_async(request)
        return self._finish(request, self.get_response(request))

    async def _call_async(self, request: HttpRequest) -> HttpResponseBase:
        return self._finish(request, await self.get_response(request))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        ours = translate(error)
        if ours is None or isinstance(error, Http404):
            return None
        return answer(request, ours)

    def _finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response["X-Request-Id"] = request_id(request)
        if is_api(request):
            for name, value in limits.headers_for(request).items():
                response[name] = value
        if response.status_code < 400 or not is_api(request) or not isinstance(response, HttpResponse):
            return response
        if response.get("Content-Type", "").startswith(PROBLEM_TYPE):
            return response
        # Edited in place: what inner middleware put on the answer (CSP and others) stays.
        kind = BY_STATUS.get(response.status_code, errors.ChatcoreError)
        response.content = json.dumps(kind().problem(request_id(request)) | {"status": response.status_code})
        response["Content-Type"] = PROBLEM_TYPE
        response["Content-Length"] = str(len(response.content))
        return response


def answer(request: HttpRequest, error: ChatcoreError) -> HttpResponse:
    """The error as this request's door shows it, and as its client can read it."""
    if is_api(request):
        return problem_response(request, error)
    response = _page(request, error) if request.accepts("text/html") else problem_response(request, error)
    patch_vary_headers(response, ["Accept"])
    return response


def _page(request: HttpRequest, error: ChatcoreError) -> HttpResponse:
    htmx = request.headers.get("HX-Request") == "true"
    template = "problem.html#problem" if htmx else "problem.html"
    response = render(request, template, {"problem": error}, status=error.status)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, translate(exception) or errors.Malformed())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return answer(request, errors.Forbidden())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return answer(request, errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(request, errors.Unexpected())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    return answer(
        request, errors.Forbidden("The page is too old or came from elsewhere. Reload it and try again.")
    )
