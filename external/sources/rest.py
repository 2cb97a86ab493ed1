"""Sources as a resource."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown
from external.models import Source
from external.sources import actions
from external.sources.bodies import NewSource, SourceChanges
from external.sources.resources import SourceResource


class SourceViewSet(PrincipalViewSet):
    """The addresses at which vendors post."""

    queryset = Source.objects.none()
    keyset: ClassVar = ("name", "id")
    newest_first = False

    @extend_schema(operation_id="list_sources", summary="List sources", responses=SourceResource)
    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Of all integrations of the workspace."""
        return self.page(actions.sources_of(self.principal), SourceResource.of)

    @extend_schema(
        operation_id="add_source",
        summary="Add a source",
        request=NewSource,
        responses={201: OpenApiResponse(SourceResource, "Made. Its `url` is what is pasted at the vendor.")},
    )
    def create(self, request: Request) -> Response:
        """Its secrets are stored encrypted."""
        source = actions.add_source(self.principal, **read_body(NewSource, request).given())
        return made(SourceResource.of(source), "sources", source.pk)

    @extend_schema(operation_id="read_source", summary="Read a source", responses=SourceResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Without its secrets."""
        return shown(SourceResource.of(actions.find_source(self.principal, id)))

    @extend_schema(
        operation_id="change_source",
        summary="Change a source",
        request=SourceChanges,
        responses=SourceResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """At work from the next request on. Another `base_url` needs the secrets again."""
        changes = read_body(SourceChanges, request).given()
        return shown(SourceResource.of(actions.change_source(self.principal, id, **changes)))

    @extend_schema(operation_id="remove_source", summary="Remove a source", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With its log. The messages that came through it stay."""
        actions.remove_source(self.principal, id)
        return Response(status=204)
