"""Resources of the API: integrations and their keys."""

import uuid
from datetime import timedelta
from typing import ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.accounts.integrations import actions
from chatcore.accounts.integrations.amounts import amounts_of
from chatcore.accounts.integrations.resources import (
    IntegrationChanges,
    IntegrationResource,
    KeyResource,
    MadeKeyResource,
    NewIntegration,
    NewKey,
    Rotation,
)
from chatcore.accounts.models import Integration, Key
from chatcore.bodies import read_body
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown

MADE = OpenApiResponse(IntegrationResource, "Made. Location is its address.")
SHOWN_ONCE = OpenApiResponse(MadeKeyResource, "Made. This answer alone has its text.")


class IntegrationViewSet(PrincipalViewSet):
    """Outside systems with identities of their own."""

    queryset = Integration.objects.none()
    keyset: ClassVar = ("name", "id")
    newest_first = False

    @extend_schema(
        operation_id="list_integrations", summary="List integrations", responses=IntegrationResource
    )
    def list(self, request: Request) -> Response:  # noqa: ARG002
        """The workspace's, by name. All of these operations need `integrations:manage`, as owners and admins have."""
        self.principal.require(actions.MANAGE)
        found = self.paginate_queryset(Integration.objects.filter(workspace=self.principal.workspace)) or ()
        amounts = amounts_of(found)
        rows = [IntegrationResource.of(each, amounts[each.pk]).model_dump(mode="json") for each in found]
        return self.get_paginated_response(rows)

    @extend_schema(
        operation_id="create_integration",
        summary="Make an integration",
        request=NewIntegration,
        responses={201: MADE},
    )
    def create(self, request: Request) -> Response:
        """It acts for you unless `acts_as` is null, and cannot be granted what you do not have. Make it a key next."""
        self.principal.require(actions.MANAGE)
        added = actions.create_integration(self.principal, **read_body(NewIntegration, request).given())
        return made(_resource(added), "integrations", added.pk)

    @extend_schema(
        operation_id="read_integration", summary="Read an integration", responses=IntegrationResource
    )
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Its grants and what it is held to."""
        return shown(_resource(actions.find_integration(self.principal, id)))

    @extend_schema(
        operation_id="change_integration",
        summary="Change an integration",
        request=IntegrationChanges,
        responses=IntegrationResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """At work from the next request on; open connections follow within five seconds."""
        actions.find_integration(self.principal, id)
        changes = read_body(IntegrationChanges, request).given()
        return shown(_resource(actions.change_integration(self.principal, id, **changes)))

    @extend_schema(operation_id="remove_integration", summary="Remove an integration", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With its keys. What it wrote stays."""
        actions.remove_integration(self.principal, id)
        return Response(status=204)


class KeyViewSet(PrincipalViewSet):
    """The keys of one integration: two are live at most."""

    queryset = Key.objects.none()
    keyset: ClassVar = ("created_at", "id")

    @extend_schema(operation_id="list_keys", summary="List keys", responses=KeyResource)
    def list(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """The newest first, those that have ended too."""
        integration = actions.find_integration(self.principal, id)
        return self.page(Key.objects.filter(integration=integration), KeyResource.of)

    @extend_schema(
        operation_id="create_key", summary="Make a key", request=NewKey, responses={201: SHOWN_ONCE}
    )
    def create(self, request: Request, id: uuid.UUID) -> Response:
        """Only for an integration that acts for you or for nobody, and with no grant that you do not have."""
        actions.find_integration(self.principal, id)
        wish = read_body(NewKey, request)
        minted = actions.add_key(self.principal, id, expires_at=wish.expires_at)
        return Response(MadeKeyResource.made(*minted).model_dump(mode="json"), status=201)

    @extend_schema(
        operation_id="rotate_key", summary="Rotate the key", request=Rotation, responses={201: SHOWN_ONCE}
    )
    def rotate(self, request: Request, id: uuid.UUID) -> Response:
        """A new key. The newest before it lives on for the overlap, any older one ends now."""
        actions.find_integration(self.principal, id)
        overlap = timedelta(hours=read_body(Rotation, request).overlap_hours)
        minted = actions.rotate_key(self.principal, id, overlap=overlap)
        return Response(MadeKeyResource.made(*minted).model_dump(mode="json"), status=201)

    @extend_schema(operation_id="read_key", summary="Read a key", responses=KeyResource)
    def retrieve(self, request: Request, id: uuid.UUID, key: uuid.UUID) -> Response:  # noqa: ARG002
        """Without its text, which nobody has but its holder."""
        found = actions.find_key(self.principal, id, key)
        return shown(KeyResource.of(found))

    @extend_schema(operation_id="revoke_key", summary="Revoke a key", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID, key: uuid.UUID) -> Response:  # noqa: ARG002
        """It opens nothing any more, and connections it holds open are closed within five seconds."""
        actions.revoke_key(self.principal, id, key)
        return Response(status=204)


def _resource(integration: Integration) -> IntegrationResource:
    return IntegrationResource.of(integration, amounts_of([integration])[integration.pk])
