"""The API's roof: both halves under /api/v1/, their common errors, and one OpenAPI document of them."""

import functools
import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from drf_spectacular.generators import SchemaGenerator
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from chatcore import errors
from chatcore.accounts.ninja import PrincipalAuth
from chatcore.accounts.openapi import SECURITY, SECURITY_SCHEMES
from chatcore.problems import BY_STATUS, ninja_problem, problem_response, translate
from conversations import live as conversations_live
from conversations import rest

PREFIX = "/api/v1/"

live = NinjaAPI(
    title="Chatcore",
    version="1",
    auth=PrincipalAuth(),
    docs_url=None,
    openapi_url=None,
    urls_namespace="live",
)
live.add_router("", conversations_live.router)


@live.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return problem_response(request, ninja_problem(error))


@live.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    kind = BY_STATUS.get(error.status_code, errors.Malformed)
    return problem_response(request, kind(str(error)))


@live.exception_handler(Exception)
def _any_error(request: HttpRequest, error: Exception) -> HttpResponse:
    known = translate(error)
    if known is None:
        raise error
    return problem_response(request, known)


resources: list[URLPattern] = [
    path("conversations/", rest.ConversationViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "conversations/<uuid:id>/",
        rest.ConversationViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path(
        "conversations/<uuid:id>/messages/",
        rest.ConversationMessageViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path("messages/<uuid:id>/", rest.MessageViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("models/", rest.ModelViewSet.as_view({"get": "list"})),
]

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request's id, also in X-Request-Id."},
        "code": {"type": "string"},
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("pointer", "detail", "code")},
            },
        },
    },
}
REFUSALS = (400, 401, 403, 404, 405, 409, 413, 415, 422, 503)
METHODS = ("get", "post", "put", "patch", "delete")


@functools.cache
def document() -> dict[str, Any]:
    """DRF's and Ninja's halves as one OpenAPI 3.1 document, with the problems every operation may answer."""
    patterns = [path(f"api/v1/{resource.pattern}", resource.callback) for resource in resources]
    generator: Any = SchemaGenerator
    whole: dict[str, Any] = _plain(generator(patterns=patterns).get_schema(request=None, public=True))
    half = _plain(live.get_openapi_schema(path_prefix=PREFIX))
    whole["paths"] |= half["paths"]
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    schemas |= half.get("components", {}).get("schemas", {})
    schemas["Problem"] = PROBLEM
    whole["components"]["securitySchemes"] = SECURITY_SCHEMES
    whole["info"] = {"title": "Chatcore", "version": "1", "description": DESCRIPTION}
    for operations in whole["paths"].values():
        for method in METHODS:
            if method in operations:
                _complete(operations[method])
    return whole


def _plain(schema: Any) -> Any:
    """Nothing but what JSON knows, so that the two halves can be merged."""
    return json.loads(json.dumps(schema, default=str))


DESCRIPTION = """Conversations that people, outside systems and AI agents share.

Send a key (`Authorization: Bearer cc_live_…`) or a user's access token with every request. Lists are
`{results, next, previous}`. Every refusal is a problem document (RFC 9457); `/api/docs/errors` explains each code."""


def _complete(operation: dict[str, Any]) -> None:
    operation["security"] = SECURITY
    for status in REFUSALS:
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        title = BY_STATUS[status]().title
        operation["responses"].setdefault(str(status), {"description": title, "content": content})


def missing(request: HttpRequest, missing: str) -> HttpResponse:  # noqa: ARG001
    """Also takes resource addresses without their slash: redirecting a POST would lose its body."""
    return problem_response(
        request, errors.NotFound("There is nothing here. Resource addresses end with a slash.")
    )


def openapi(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    return JsonResponse(document())


def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")


def error_pages(request: HttpRequest) -> HttpResponse:
    """One entry for each code a problem can carry."""
    kinds = {kind.code: kind for kind in errors.family()}
    rows = [
        {"code": code, "status": kind.status, "title": kind().title, "retryable": kind.retryable}
        for code, kind in sorted(kinds.items(), key=lambda item: (item[1].status, item[0]))
    ]
    return render(request, "api/errors.html", {"problems": rows})
