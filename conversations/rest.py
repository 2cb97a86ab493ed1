"""Resources of the API: conversations, their messages, and the models to choose from."""

import uuid
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid
from chatcore.llm.models import Model
from chatcore.pagination import page_size
from conversations import actions
from conversations.actions.access import find_conversation, find_message
from conversations.models import Conversation, Member, Message
from conversations.resources import ConversationResource, MessageResource, PostedResource
from conversations.responding import posted_resource
from conversations.texts import checked_text


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know: a typo must not be ignored in silence."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            raise Invalid(
                errors=[
                    FieldProblem(f"/{name}", "There is no such field.", "unknown") for name in sorted(unknown)
                ]
            )
        return super().to_internal_value(data)


class NewConversation(StrictSerializer):
    title = serializers.CharField(required=False, allow_blank=True, max_length=200)
    model = serializers.CharField(required=False, allow_null=True, max_length=200)
    system = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    params = serializers.DictField(required=False)


class ConversationChanges(NewConversation):
    title = serializers.CharField(required=False, max_length=200)
    archived = serializers.BooleanField(required=False)
    pinned = serializers.BooleanField(required=False)


class NewMessage(StrictSerializer):
    content = serializers.CharField(trim_whitespace=False)
    parent = serializers.UUIDField(required=False, allow_null=True)  # type: ignore[assignment]
    model = serializers.CharField(required=False, max_length=200)
    params = serializers.DictField(required=False)
    respond = serializers.BooleanField(required=False, help_text="false: store the message, ask no model.")
    client_id = serializers.UUIDField(required=False, help_text="Your own id: the same one is stored once.")


class PrincipalViewSet(GenericViewSet[Any]):
    @property
    def principal(self) -> Principal:
        principal = self.request.auth
        assert isinstance(principal, Principal)
        return principal

    def page(self, queryset: Any, shape: Any) -> Response:
        return self.get_paginated_response(
            [shape(row).model_dump(mode="json") for row in self.paginate_queryset(queryset) or ()]
        )


BOOLEAN_FILTERS = [
    OpenApiParameter(
        "archived", OpenApiTypes.BOOL, description="Only archived ones, or (the default) only open ones."
    ),
    OpenApiParameter("pinned", OpenApiTypes.BOOL, description="Only pinned ones, or only others."),
    OpenApiParameter("title", OpenApiTypes.STR, description="Only those whose title contains this."),
]


class ConversationViewSet(PrincipalViewSet):
    """The conversations you read, the one with the newest message first."""

    queryset = Conversation.objects.none()
    serializer_class = NewConversation
    keyset: ClassVar = ("last_message_at", "conversation_id")

    @extend_schema(
        responses=ConversationResource, parameters=BOOLEAN_FILTERS, operation_id="list_conversations"
    )
    def list(self, request: Request) -> Response:
        self.principal.require_any("conversations:read")
        members = Member.objects.for_principal(self.principal)
        members = members.archived() if _flag(request, "archived") else members.open()
        if (pinned := _flag(request, "pinned")) is not None:
            members = members.filter(pinned=pinned)
        if title := request.query_params.get("title"):
            members = members.filter(conversation__title__icontains=checked_text(title, "/title", limit=200))
        return self.page(members, lambda member: ConversationResource.of(member.conversation, member))

    @extend_schema(
        request=NewConversation, responses={201: ConversationResource}, operation_id="start_conversation"
    )
    def create(self, request: Request) -> Response:
        conversation = actions.start_conversation(self.principal, **_checked(NewConversation, request))
        return Response(self._resource(conversation.id), status=201, headers={"Location": _url(conversation)})

    @extend_schema(responses=ConversationResource, operation_id="read_conversation")
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        return Response(self._resource(id))

    @extend_schema(
        request=ConversationChanges, responses=ConversationResource, operation_id="change_conversation"
    )
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:
        changes = _checked(ConversationChanges, request)
        archived, pinned = changes.pop("archived", None), changes.pop("pinned", None)
        find_conversation(self.principal, id, "conversations:write")
        if changes:
            actions.update_conversation(self.principal, id, **changes)
        if archived is not None:
            (actions.archive_conversation if archived else actions.unarchive_conversation)(self.principal, id)
        if pinned is not None:
            (actions.pin_conversation if pinned else actions.unpin_conversation)(self.principal, id)
        return Response(self._resource(id))

    @extend_schema(responses={204: None}, operation_id="delete_conversation")
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        actions.delete_conversation(self.principal, id)
        return Response(status=204)

    def _resource(self, conversation_id: uuid.UUID) -> dict[str, Any]:
        conversation = find_conversation(self.principal, conversation_id)
        member = Member.objects.get(conversation=conversation, user=self.principal.user)
        return ConversationResource.of(conversation, member).model_dump(mode="json")


BRANCH = OpenApiParameter(
    "branch",
    OpenApiTypes.STR,
    description="`active` or a message's id: the path that ends there, oldest first.",
)


class ConversationMessageViewSet(PrincipalViewSet):
    """Every message of a conversation in the order of writing, each with its `parent`."""

    queryset = Message.objects.none()
    serializer_class = NewMessage
    keyset: ClassVar = ("id",)
    newest_first = False

    @extend_schema(responses=MessageResource, parameters=[BRANCH], operation_id="list_messages")
    def list(self, request: Request, id: uuid.UUID) -> Response:
        conversation = find_conversation(self.principal, id, "messages:read")
        if branch := request.query_params.get("branch"):
            return self._branch(request, conversation, branch)
        return self.page(Message.objects.filter(conversation=conversation), MessageResource.of)

    @extend_schema(request=NewMessage, responses={201: PostedResource}, operation_id="post_message")
    def create(self, request: Request, id: uuid.UUID) -> Response:
        """Store a message, and queue a reply to it unless `respond` is false."""
        wishes = _checked(NewMessage, request)
        posted = actions.post_message(self.principal, id, text=wishes.pop("content"), **wishes)
        return Response(posted_resource(posted), status=200 if posted.repeated else 201)

    def _branch(self, request: Request, conversation: Conversation, branch: str) -> Response:
        """A page of the path, newest part first; `next` leads to the part above it."""
        leaf = conversation.active_leaf_id if branch == "active" else _message_id(conversation, branch)
        path = Message.objects.branch(leaf, page_size(request.query_params.get("page_size")))
        above = path[0].parent_id if path else None
        following = None
        if above:
            query = {**request.query_params.dict(), "branch": str(above)}
            following = request.build_absolute_uri(
                f"{request.path}?{'&'.join(f'{k}={v}' for k, v in query.items())}"
            )
        results = [MessageResource.of(message).model_dump(mode="json") for message in path]
        return Response({"results": results, "next": following, "previous": None})


class MessageViewSet(PrincipalViewSet):
    """One message, by its own address."""

    queryset = Message.objects.none()

    @extend_schema(responses=MessageResource, operation_id="read_message")
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        return Response(MessageResource.of(find_message(self.principal, id)).model_dump(mode="json"))

    @extend_schema(responses={204: None}, operation_id="delete_message")
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: ARG002
        """The message and everything below it, for good."""
        actions.delete_message(self.principal, id)
        return Response(status=204)


class ModelSerializer(serializers.ModelSerializer[Model]):
    class Meta:
        model = Model
        fields = ("name", "label", "context_window", "max_output", "supports", "is_default")
        read_only_fields = fields


class ModelViewSet(PrincipalViewSet):
    """The models you may use, by name."""

    queryset = Model.objects.none()
    serializer_class = ModelSerializer
    keyset: ClassVar = ("name", "id")
    newest_first = False

    @extend_schema(responses=ModelSerializer(many=True), operation_id="list_models")
    def list(self, request: Request) -> Response:  # noqa: ARG002
        self.principal.require_any("models:read")
        usable = Model.objects.for_principal(self.principal)
        return self.get_paginated_response(ModelSerializer(self.paginate_queryset(usable), many=True).data)


def _checked(shape: type[StrictSerializer], request: Request) -> dict[str, Any]:
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _flag(request: Request, name: str) -> bool | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise Invalid(errors=[FieldProblem(f"/{name}", "must be true or false")])
    return text.lower() == "true"


def _message_id(conversation: Conversation, text: str) -> uuid.UUID:
    try:
        message_id = uuid.UUID(text)
    except ValueError:
        message_id = uuid.UUID(int=0)
    if not Message.objects.filter(conversation=conversation, id=message_id).exists():
        raise Invalid(
            errors=[FieldProblem("/branch", "must be `active` or the id of a message of this conversation")]
        )
    return message_id


def _url(conversation: Conversation) -> str:
    return f"/api/v1/conversations/{conversation.id}/"
