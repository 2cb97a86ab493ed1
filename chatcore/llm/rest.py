"""Resources of the registry: the models to choose from, and for those who look after them, what they stand on."""

import uuid
from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.llm import registry
from chatcore.llm.bodies import (
    DeploymentChanges,
    ModelChanges,
    NewDeployment,
    NewModel,
    NewProvider,
    ProviderChanges,
)
from chatcore.llm.models import Deployment, Model, Provider
from chatcore.llm.parameters import parameters_for
from chatcore.llm.resources import DeploymentResource, ModelResource, ProviderResource
from chatcore.query_parameters import flag, identity
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown

MADE = "Made. Location is its address."


class ProviderViewSet(PrincipalViewSet):
    """The accounts at services that run models."""

    queryset = Provider.objects.none()
    keyset: ClassVar = ("name", "id")
    newest_first = False

    @extend_schema(operation_id="list_providers", summary="List providers", responses=ProviderResource)
    def list(self, request: Request) -> Response:  # noqa: ARG002
        """The workspace's own, and those of all workspaces."""
        self.principal.require("providers:read")
        rows = registry.visible(Provider.objects.with_credential_mark(), self.principal)
        return self.page(rows, ProviderResource.of)

    @extend_schema(
        operation_id="add_provider",
        summary="Add a provider",
        request=NewProvider,
        responses={201: OpenApiResponse(ProviderResource, MADE)},
    )
    def create(self, request: Request) -> Response:
        """Its key is stored encrypted. It answers once a model has a deployment there."""
        provider = registry.add_provider(self.principal, **read_body(NewProvider, request).given())
        return made(ProviderResource.of(provider), "providers", provider.pk)

    @extend_schema(operation_id="read_provider", summary="Read a provider", responses=ProviderResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Without its key."""
        return shown(ProviderResource.of(registry.find_provider(self.principal, id)))

    @extend_schema(
        operation_id="change_provider",
        summary="Change a provider",
        request=ProviderChanges,
        responses=ProviderResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """At work from the next request on. Another address needs the key again, and so does any option that may change
        whom it goes to.
        """
        changes = read_body(ProviderChanges, request).given()
        return shown(ProviderResource.of(registry.change_provider(self.principal, id, **changes)))

    @extend_schema(operation_id="remove_provider", summary="Remove a provider", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With its deployments; models that have none left answer no more."""
        registry.remove_provider(self.principal, id)
        return Response(status=204)


class ModelViewSet(PrincipalViewSet):
    """The models to choose from."""

    queryset = Model.objects.none()
    keyset: ClassVar = ("name", "id")
    newest_first = False

    @extend_schema(
        operation_id="list_models",
        summary="List the models you may use",
        parameters=[
            OpenApiParameter(
                "all",
                OpenApiTypes.BOOL,
                description="Also those that nobody, or not everybody, may use; this needs `models:write`.",
            )
        ],
        responses=ModelResource,
    )
    def list(self, request: Request) -> Response:
        """By name."""
        self.principal.require_any("models:read")
        models = Model.objects.described()
        if flag(request, "all"):
            self.principal.require("models:write")
            return self.page(registry.visible(models, self.principal), ModelResource.of)
        return self.page(models.for_principal(self.principal), ModelResource.of)

    @extend_schema(
        operation_id="add_model",
        summary="Add a model",
        request=NewModel,
        responses={201: OpenApiResponse(ModelResource, MADE)},
    )
    def create(self, request: Request) -> Response:
        """One of the workspace's own; it hides a shared one of the same name. It needs a deployment to answer."""
        model = registry.add_model(self.principal, **read_body(NewModel, request).given())
        return made(ModelResource.of(model), "models", model.pk)

    @extend_schema(operation_id="read_model", summary="Read a model", responses=ModelResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """One you may use; with `models:write` too, any of the workspace."""
        return shown(ModelResource.of(registry.find_model(self.principal, id)))

    @extend_schema(
        operation_id="change_model", summary="Change a model", request=ModelChanges, responses=ModelResource
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """Only the workspace's own."""
        changes = read_body(ModelChanges, request).given()
        return shown(ModelResource.of(registry.change_model(self.principal, id, **changes)))

    @extend_schema(
        operation_id="list_parameters",
        summary="See what may be asked of a model",
        responses={200: OpenApiResponse(OpenApiTypes.OBJECT, "JSON Schema of `params`.")},
    )
    def parameters(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """The parameters that make sense for it, with their types, limits and defaults, as a JSON Schema. What its
        provider does not know is left out of a request, and named in the reply's `dropped`.
        """
        return Response(parameters_for(registry.find_model(self.principal, id)))

    @extend_schema(operation_id="remove_model", summary="Remove a model", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With its deployments. What it has answered stays."""
        registry.remove_model(self.principal, id)
        return Response(status=204)


class DeploymentViewSet(PrincipalViewSet):
    """The ways to reach models."""

    queryset = Deployment.objects.none()
    newest_first = False

    @extend_schema(
        operation_id="list_deployments",
        summary="List deployments",
        parameters=[
            OpenApiParameter("model", OpenApiTypes.UUID, description="Only this model's."),
            OpenApiParameter("provider", OpenApiTypes.UUID, description="Only this provider's."),
        ],
        responses=DeploymentResource,
    )
    def list(self, request: Request) -> Response:
        """Of the workspace's own models, and of those of all workspaces."""
        self.principal.require("models:write")
        rows = Deployment.objects.select_related("model")
        for name in ("model", "provider"):
            if named := identity(request, name):
                rows = rows.filter(**{name: named})
        return self.page(registry.visible(rows, self.principal, "model__workspace"), DeploymentResource.of)

    @extend_schema(
        operation_id="add_deployment",
        summary="Add a deployment",
        request=NewDeployment,
        responses={201: OpenApiResponse(DeploymentResource, MADE)},
    )
    def create(self, request: Request) -> Response:
        """The next question to the model may be answered there."""
        deployment = registry.add_deployment(self.principal, **read_body(NewDeployment, request).given())
        return made(DeploymentResource.of(deployment), "deployments", deployment.pk)

    @extend_schema(operation_id="read_deployment", summary="Read a deployment", responses=DeploymentResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """One way to reach a model."""
        return shown(DeploymentResource.of(registry.find_deployment(self.principal, id)))

    @extend_schema(
        operation_id="change_deployment",
        summary="Change a deployment",
        request=DeploymentChanges,
        responses=DeploymentResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """Only of the workspace's own models."""
        changes = read_body(DeploymentChanges, request).given()
        return shown(DeploymentResource.of(registry.change_deployment(self.principal, id, **changes)))

    @extend_schema(operation_id="remove_deployment", summary="Remove a deployment", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """The model is no more reached this way."""
        registry.remove_deployment(self.principal, id)
        return Response(status=204)
