"""Resources of the API: conversations, their messages, and the models to choose from."""

import uuid
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import prefetch_related_objects
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chatcore.bodies import read_body
from chatcore.pagination import link, page_size, refused
from chatcore.query_parameters import flag
from chatcore.viewsets import GONE, PrincipalViewSet, shown
from conversations import actions
from conversations.actions.access import find_conversation, find_message
from conversations.bodies import ConversationChanges, NewConversation, NewMessage
from conversations.models import Conversation, Member, Message, Receipt
from conversations.resources import ConversationResource, MessageResource, PostedResource, ReceiptResource
from conversations.responding import posted_resource
from conversations.texts import MAX_TITLE_LENGTH, checked_text

FILTERS = [
    OpenApiParameter(
        "archived", OpenApiTypes.BOOL, description="Only archived ones, or (the default) only open ones."
    ),
    OpenApiParameter("pinned", OpenApiTypes.BOOL, description="Only pinned ones, or only others."),
    OpenApiParameter("title", OpenApiTypes.STR, description="Only those whose title contains this."),
]


class ConversationViewSet(PrincipalViewSet):
    """The conversations you read."""

    queryset = Conversation.objects.none()
    keyset: ClassVar = ("last_message_at", "conversation_id")

    @extend_schema(
        operation_id="list_conversations",
        summary="List your conversations",
        parameters=FILTERS,
        responses=ConversationResource,
    )
    def list(self, request: Request) -> Response:
        """The one with the newest message first."""
        self.principal.require_any("conversations:read")
        members = Member.objects.for_principal(self.principal)
        members = members.archived() if flag(request, "archived") else members.open()
        if (pinned := flag(request, "pinned")) is not None:
            members = members.filter(pinned=pinned)
        if title := request.query_params.get("title"):
            sought = checked_text(title, "/title", limit=MAX_TITLE_LENGTH, required=False)
            members = members.filter(conversation__title__icontains=sought)
        return self.page(members, lambda member: ConversationResource.of(member.conversation, member))

    @extend_schema(
        operation_id="start_conversation",
        summary="Start a conversation",
        request=NewConversation,
        responses={201: OpenApiResponse(ConversationResource, "Started. Location is its address.")},
    )
    def create(self, request: Request) -> Response:
        """An empty one of your own. Messages are posted to it by its id."""
        conversation = actions.start_conversation(
            self.principal, **read_body(NewConversation, request).given()
        )
        address = f"/api/v1/conversations/{conversation.id}/"
        return Response(self._resource(conversation), status=201, headers={"Location": address})

    @extend_schema(
        operation_id="read_conversation", summary="Read a conversation", responses=ConversationResource
    )
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Without its messages."""
        return Response(self._resource(find_conversation(self.principal, id)))

    @extend_schema(
        operation_id="change_conversation",
        summary="Change a conversation",
        request=ConversationChanges,
        responses=ConversationResource,
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        """Its title, model, instructions and parameters for everybody in it; pinned and archived for you alone."""
        changes = read_body(ConversationChanges, request).given()
        with transaction.atomic():
            self._change(id, changes)
            return Response(self._resource(find_conversation(self.principal, id, "conversations:write")))

    @extend_schema(operation_id="delete_conversation", summary="Delete a conversation", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """For good, with everything in it. Only its owner may."""
        actions.delete_conversation(self.principal, id)
        return Response(status=204)

    def _change(self, conversation_id: uuid.UUID, changes: dict[str, Any]) -> None:
        archived, pinned = changes.pop("archived", None), changes.pop("pinned", None)
        if changes:
            actions.update_conversation(self.principal, conversation_id, **changes)
        if archived is not None:
            place = actions.archive_conversation if archived else actions.unarchive_conversation
            place(self.principal, conversation_id)
        if pinned is not None:
            place = actions.pin_conversation if pinned else actions.unpin_conversation
            place(self.principal, conversation_id)

    def _resource(self, conversation: Conversation) -> dict[str, Any]:
        member = Member.objects.get(conversation=conversation, user=self.principal.user)
        return ConversationResource.of(conversation, member).model_dump(mode="json")


BRANCH = OpenApiParameter(
    "branch",
    OpenApiTypes.STR,
    description="`active` or a message's id: only the path that ends there, oldest first. Its pages begin at the end "
    "of the path; `next` leads to the part above.",
)


class ConversationMessageViewSet(PrincipalViewSet):
    """The messages of a conversation."""

    queryset = Message.objects.none()
    keyset: ClassVar = ("id",)
    newest_first = False

    @extend_schema(
        operation_id="list_messages",
        summary="List a conversation's messages",
        parameters=[BRANCH],
        responses=MessageResource,
    )
    def list(self, request: Request, id: uuid.UUID) -> Response:
        """Every message in the order of writing, each with its `parent`: together they are a tree."""
        conversation = find_conversation(self.principal, id, "messages:read")
        if branch := request.query_params.get("branch"):
            return self._branch(request, conversation, branch)
        return self.page(
            Message.objects.filter(conversation=conversation).prefetch_related("attachments"),
            MessageResource.of,
        )

    @extend_schema(
        operation_id="post_message",
        summary="Post a message",
        request=NewMessage,
        responses={
            200: OpenApiResponse(PostedResource, "It had been stored before under the same client_id."),
            201: OpenApiResponse(PostedResource, "Stored."),
        },
    )
    def create(self, request: Request, id: uuid.UUID) -> Response:
        """Store a message, and queue a reply to it unless `respond` is false."""
        posted = actions.post_message(self.principal, id, **read_body(NewMessage, request).wishes())
        return Response(posted_resource(posted), status=200 if posted.repeated else 201)

    def _branch(self, request: Request, conversation: Conversation, branch: str) -> Response:
        leaf = conversation.active_leaf_id if branch == "active" else _message_id(conversation, branch)
        path = Message.objects.branch(leaf, page_size(request.query_params.get("page_size")))
        prefetch_related_objects(path, "attachments")
        above = path[0].parent_id if path else None
        results = [MessageResource.of(message).model_dump(mode="json") for message in path]
        following = link(request, branch=str(above)) if above else None
        return Response({"results": results, "next": following, "previous": None})


class MessageViewSet(PrincipalViewSet):
    """One message, by its own address."""

    queryset = Message.objects.none()

    @extend_schema(operation_id="read_message", summary="Read a message", responses=MessageResource)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """A reply that is being made is as it was saved last, half a second ago at most."""
        return shown(MessageResource.of(find_message(self.principal, id)))

    @extend_schema(operation_id="delete_message", summary="Delete a message", responses=GONE)
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """The message and everything below it, for good. While a reply there is running it is refused."""
        actions.delete_message(self.principal, id)
        return Response(status=204)


class ReceiptViewSet(PrincipalViewSet):
    """How far a message has come."""

    queryset = Receipt.objects.none()
    keyset: ClassVar = ("id",)
    newest_first = False

    @extend_schema(
        operation_id="list_receipts",
        summary="See whom a message has reached",
        responses=ReceiptResource,
        tags=["messages"],
    )
    def list(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """Each recipient's highest state; late news never lowers it."""
        message = find_message(self.principal, id)
        return self.page(Receipt.objects.filter(message=message), ReceiptResource.of)


def _message_id(conversation: Conversation, text: str) -> uuid.UUID:
    try:
        message_id = uuid.UUID(text)
    except ValueError:
        message_id = uuid.UUID(int=0)
    if not Message.objects.filter(conversation=conversation, id=message_id).exists():
        raise refused("branch", "must be `active` or the id of a message of this conversation")
    return message_id
