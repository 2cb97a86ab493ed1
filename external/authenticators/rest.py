"""Resources of the API: the authenticators of a workspace's integrations."""

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.query_parameters import identity
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown
from external.authenticators import actions
from external.authenticators.bodies import AuthenticatorChanges, NewAuthenticator
from external.authenticators.resources import AuthenticatorResource
from external.models import Authenticator


class AuthenticatorViewSet(PrincipalViewSet):
    """Ways in besides keys."""

    queryset = Authenticator.objects.none()
    newest_first = False

    @extend_schema(
        operation_id="list_authenticators",
        summary="List authenticators",
        parameters=[
            OpenApiParameter("integration", OpenApiTypes.UUID, description="Only this integration's.")
        ],
        responses=AuthenticatorResource,
    )
    def list(self, request: Request) -> Response:
        """Of all integrations of the workspace, the oldest first."""
        self.principal.require(actions.MANAGE)
        rows = Authenticator.objects.for_principal(self.principal).described()
        if named := identity(request, "integration"):
            rows = rows.filter(integration=named)
        return self.page(rows, AuthenticatorResource.of)

    @extend_schema(
        operation_id="add_authenticator",
        summary="Add an authenticator",
        request=NewAuthenticator,
        responses={201: OpenApiResponse(AuthenticatorResource, "Made. Location is its address.")},
    )
    def create(self, request: Request) -> Response:
        """Requests that name it in X-Authenticator are let in from now on. Its secret is stored encrypted."""
        added = actions.add_authenticator(self.principal, **read_body(NewAuthenticator, request).given())
        return made(AuthenticatorResource.of(added), "authenticators", added.pk)

    @extend_schema(
        operation_id="read_authenticator", summary="Read an authenticator", responses=AuthenticatorResource
    )
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Without its secret."""
        return shown(AuthenticatorResource.of(actions.find_authenticator(self.principal, id)))

    @extend_schema(
        operation_id="change_authenticator",
        summary="Change an authenticator",
        request=AuthenticatorChanges,
        responses=AuthenticatorResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """At work from the next request on. Other options replace all there were, and keys are fetched anew."""
        changes = read_body(AuthenticatorChanges, request).given()
        return shown(AuthenticatorResource.of(actions.change_authenticator(self.principal, id, **changes)))

    @extend_schema(operation_id="remove_authenticator", summary="Remove an authenticator", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Nobody is let in through it any more."""
        actions.remove_authenticator(self.principal, id)
        return Response(status=204)
