"""What every resource of the API stands on."""

import uuid
from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiResponse
from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from chatcore.accounts.principals import Principal

GONE = {204: OpenApiResponse(description="It is gone.")}


def shown(resource: BaseModel) -> Response:
    return Response(resource.model_dump(mode="json"))


def made(resource: BaseModel, place: str, id: uuid.UUID) -> Response:
    """Location is its address among the resources at `place`."""
    headers = {"Location": f"/api/v1/{place}/{id}/"}
    return Response(resource.model_dump(mode="json"), status=201, headers=headers)


class PrincipalViewSet(GenericViewSet[Any]):
    metadata_class = None  # OPTIONS is refused, as at the other half

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """A body sent in chunks has no length, which REST framework takes for no body."""
        if "Transfer-Encoding" in request.headers:
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        return super().initialize_request(request, *args, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: ARG002
        """A browser gets pages, everybody else JSON, whatever they say they accept."""
        return super().perform_content_negotiation(request, force=True)

    @property
    def principal(self) -> Principal:
        principal = self.request.auth
        assert isinstance(principal, Principal)
        return principal

    def page(self, queryset: Any, shape: Any) -> Response:
        return self.get_paginated_response(
            [shape(row).model_dump(mode="json") for row in self.paginate_queryset(queryset) or ()]
        )
