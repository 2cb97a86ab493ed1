"""The pages and documents that explain the API."""

import functools

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from chatcore import codes
from chatcore.api.document import document
from chatcore.realtime import documents


@csrf_exempt
@require_safe
def openapi(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    return JsonResponse(document())


@csrf_exempt
@require_safe
def asyncapi(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What travels over /ws/ and /events/."""
    return HttpResponse(_asyncapi(), content_type="application/json")


@functools.cache
def _asyncapi() -> str:
    return documents.asyncapi()


@csrf_exempt
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")


@csrf_exempt
@require_safe
def error_pages(request: HttpRequest) -> HttpResponse:
    """A section for each code that a problem or a failed reply can carry."""
    return render(request, "api/errors.html", {"problems": codes.problems(), "failures": codes.failures()})
