"""Resources of messages from outside: where each came from."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.viewsets import PrincipalViewSet, shown
from external.models import IntakeMessage
from external.provenance import find_message
from external.resources import ExternalMessageResource


class IntakeMessageViewSet(PrincipalViewSet):
    """Messages that integrations put in."""

    queryset = IntakeMessage.objects.none()

    @extend_schema(
        operation_id="read_external_message",
        summary="Read where a message came from",
        responses=ExternalMessageResource,
        tags=["intake"],
    )
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """An integration reads what it has sent itself, a person what is in conversations of theirs."""
        row, reply = find_message(self.principal, id)
        return shown(ExternalMessageResource.of(row, reply))
