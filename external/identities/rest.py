"""Resources of the API: identities."""

import uuid
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.errors import NotFound
from chatcore.query_parameters import flag, identity
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown
from external.identities import actions
from external.identities.resources import IdentityChanges, IdentityResource, NewIdentity
from external.models.identities import Identity

READ = "identities:read"
FILTERS = [
    OpenApiParameter("user", OpenApiTypes.UUID, description="Only this user's."),
    OpenApiParameter("channel", OpenApiTypes.STR, description="Only on this channel."),
    OpenApiParameter("verified", OpenApiTypes.BOOL, description="Only those that are verified, or are not."),
]


class IdentityViewSet(PrincipalViewSet):
    """Handles of people in outside systems."""

    queryset = Identity.objects.none()
    keyset: ClassVar = ("id",)

    @extend_schema(
        operation_id="list_identities",
        summary="List identities",
        parameters=FILTERS,
        responses=IdentityResource,
    )
    def list(self, request: Request) -> Response:
        """The workspace's, the newest first."""
        self.principal.require(READ)
        return self.page(
            _filtered(Identity.objects.for_principal(self.principal), request), IdentityResource.of
        )

    @extend_schema(
        operation_id="add_identity",
        summary="Add an identity",
        request=NewIdentity,
        responses={201: OpenApiResponse(IdentityResource, "Added. Location is its address.")},
    )
    def create(self, request: Request) -> Response:
        """A claim, unless it is verified, which needs the grant `identities:verify` too."""
        added = actions.add_identity(self.principal, **read_body(NewIdentity, request).given())
        return made(IdentityResource.of(added), "identities", added.pk)

    @extend_schema(operation_id="read_identity", summary="Read an identity", responses=IdentityResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Whose it is, and whether that is certain."""
        self.principal.require(READ)
        found = Identity.objects.for_principal(self.principal).filter(pk=id).first()
        if found is None:
            raise NotFound
        return shown(IdentityResource.of(found))

    @extend_schema(
        operation_id="change_identity",
        summary="Verify an identity",
        request=IdentityChanges,
        responses=IdentityResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """Messages from it are this user's from now on. Whoever had it before only claims it then."""
        changes = read_body(IdentityChanges, request)
        return shown(
            IdentityResource.of(actions.change_identity(self.principal, id, verified=changes.verified))
        )

    @extend_schema(operation_id="remove_identity", summary="Remove an identity", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Messages from it are this user's no more. What was posted stays."""
        actions.remove_identity(self.principal, id)
        return Response(status=204)


def _filtered(found: Any, request: Request) -> Any:
    if user := identity(request, "user"):
        found = found.filter(user=user)
    if channel := request.query_params.get("channel"):
        found = found.filter(channel=channel.replace("\x00", "\ufffd").lower())
    verified = flag(request, "verified")
    return found if verified is None else found.filter(verified_at__isnull=not verified)
