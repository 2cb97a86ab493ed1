"""The resource of attachments: uploaded as multipart/form-data, read as JSON or as bytes."""

import uuid

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore import texts
from chatcore.query_parameters import flag
from chatcore.viewsets import GONE, PrincipalViewSet, made, shown
from conversations import attachments
from conversations.bodies import NewAttachment
from conversations.errors import FileTooLarge
from conversations.models import Attachment
from conversations.resources import AttachmentResource

# A picture is shown; whatever else is opened is a download, and nothing in it may run or load.
POLICY = "default-src 'none'; sandbox"
KEPT_SECONDS = 86_400
PREVIEW = OpenApiParameter(
    "preview", OpenApiTypes.BOOL, description="Of an image: no larger than 1,568 pixels, for a page to show."
)
BYTES = OpenApiResponse(OpenApiTypes.BINARY, "The bytes. Images may be shown, documents are downloads.")


class AttachmentViewSet(PrincipalViewSet):
    """Files that go with messages."""

    queryset = Attachment.objects.none()
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="upload_attachment",
        summary="Upload a file",
        request={"multipart/form-data": NewAttachment},
        responses={
            201: OpenApiResponse(AttachmentResource, "Stored. Name its id in `attachments` of a message.")
        },
    )
    def create(self, request: Request) -> Response:
        """It waits for its message for a day. What it is, its bytes say; images are written anew, upright and without
        the place and device that cameras put into them.
        """
        file = request.FILES.get("file")
        if file is None or set(request.data) != {"file"}:
            raise texts.refused("/file", "must be the only part of the form, and be a file", "required")
        if (file.size or 0) > settings.ATTACHMENT_MAX_BYTES:
            raise FileTooLarge
        stored = attachments.store(
            self.principal, name=file.name or "", media_type=file.content_type or "", content=file.read()
        )
        return made(AttachmentResource.of(stored), "attachments", stored.pk)

    @extend_schema(
        operation_id="read_attachment", summary="Read what a file is", responses=AttachmentResource
    )
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Of a message you may read, or your own that waits for one."""
        return shown(AttachmentResource.of(attachments.find_attachment(self.principal, id)))

    @extend_schema(
        operation_id="read_attachment_content",
        summary="Read a file's bytes",
        parameters=[PREVIEW],
        responses={(200, "application/octet-stream"): BYTES},
    )
    def content(self, request: Request, id: uuid.UUID) -> HttpResponse:
        """Whatever you accept, it is what it is: `Content-Type` and `Content-Disposition` tell."""
        found = attachments.find_attachment(self.principal, id)
        if found.is_image and flag(request, "preview"):
            content, media_type = attachments.preview_of(found)
        else:
            content, media_type = attachments.content_of(found), found.media_type
        return _file(found, content, media_type)

    @extend_schema(operation_id="delete_attachment", summary="Delete a file", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """One that no message has yet. Those of a message go with it."""
        attachments.delete_attachment(self.principal, id)
        return Response(status=204)


def _file(attachment: Attachment, content: bytes, media_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=media_type)
    disposition = content_disposition_header(not attachment.is_image, attachment.name)
    response["Content-Disposition"] = disposition or "attachment"
    response["Content-Security-Policy"] = POLICY
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = f"private, max-age={KEPT_SECONDS}, immutable"
    response["Vary"] = "Authorization, Cookie, X-API-Key, X-Workspace"
    return response
