"""Resources of the API: webhooks, and what was delivered by them."""

import uuid
from typing import ClassVar, get_args

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.pagination import refused
from chatcore.query_parameters import moment
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown
from external.models import Delivery, Webhook
from external.webhooks import actions
from external.webhooks.querysets import DeliveryQuerySet
from external.webhooks.resources import (
    DeliveryDetailResource,
    DeliveryResource,
    NewWebhook,
    WebhookChanges,
    WebhookResource,
    WebhookSecretResource,
)

STATUSES = get_args(DeliveryResource.model_fields["status"].annotation)
MADE = "Made. Location is its address, `secret` is shown this once."
FILTERS = [
    OpenApiParameter(
        "status", OpenApiTypes.STR, enum=list(STATUSES), description="Only those of this status."
    ),
    OpenApiParameter("type", OpenApiTypes.STR, description="Only of this type of event."),
    OpenApiParameter("from", OpenApiTypes.STR, description="Made at this time (RFC 3339) or later."),
    OpenApiParameter("to", OpenApiTypes.STR, description="Made before this time."),
]


class WebhookViewSet(PrincipalViewSet):
    """Addresses that are told what happens."""

    queryset = Webhook.objects.none()
    keyset: ClassVar = ("id",)
    newest_first = False

    @extend_schema(operation_id="list_webhooks", summary="List webhooks", responses=WebhookResource)
    def list(self, request: Request) -> Response:  # noqa: ARG002
        """All of the workspace, without their secrets."""
        self.principal.require(actions.MANAGE)
        return self.page(Webhook.objects.for_principal(self.principal), WebhookResource.of)

    @extend_schema(
        operation_id="add_webhook",
        summary="Add a webhook",
        request=NewWebhook,
        responses={201: OpenApiResponse(WebhookSecretResource, MADE)},
    )
    def create(self, request: Request) -> Response:
        """Its address is asked at once by a signed `webhook.challenge`, and told nothing before it has answered."""
        webhook = actions.add_webhook(self.principal, **read_body(NewWebhook, request).given())
        return made(WebhookSecretResource.of(webhook), "webhooks", webhook.pk)

    @extend_schema(operation_id="read_webhook", summary="Read a webhook", responses=WebhookResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With how it fares."""
        return shown(WebhookResource.of(actions.find_webhook(self.principal, id)))

    @extend_schema(
        operation_id="change_webhook",
        summary="Change a webhook",
        request=WebhookChanges,
        responses=WebhookResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """At work for what happens from then on. What is on its way already goes out as it is."""
        changes = read_body(WebhookChanges, request).given()
        return shown(WebhookResource.of(actions.change_webhook(self.principal, id, **changes)))

    @extend_schema(operation_id="remove_webhook", summary="Remove a webhook", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With its log."""
        actions.remove_webhook(self.principal, id)
        return Response(status=204)


class DeliveryViewSet(PrincipalViewSet):
    """What was delivered, is on its way, or was given up."""

    queryset = Delivery.objects.none()
    keyset: ClassVar = ("id",)

    @extend_schema(
        operation_id="list_deliveries",
        summary="List a webhook's deliveries",
        parameters=FILTERS,
        responses=DeliveryResource,
    )
    def list(self, request: Request, id: uuid.UUID) -> Response:
        """The newest first. They are kept for 30 days after they ended."""
        webhook = actions.find_webhook(self.principal, id)
        return self.page(_filtered(webhook.deliveries.all(), request), DeliveryResource.of)

    @extend_schema(operation_id="read_delivery", summary="Read a delivery", responses=DeliveryDetailResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """With what is sent, and what came of each attempt."""
        return shown(DeliveryDetailResource.of(actions.find_delivery(self.principal, id)))


def _filtered(found: DeliveryQuerySet, request: Request) -> DeliveryQuerySet:
    status = request.query_params.get("status")
    if status is not None and status not in STATUSES:
        raise refused("status", f"must be one of {', '.join(STATUSES)}")
    found = found.between(moment(request, "from"), moment(request, "to"))
    if status is not None:
        found = found.filter(status=status)
    if type_ := request.query_params.get("type"):
        found = found.filter(event_type=type_.replace("\x00", "\ufffd"))
    return found
