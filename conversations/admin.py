"""Staff pages of conversations: readable and searchable at a million rows, changed by actions only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from conversations.models import Conversation, Member, Message, Summary


class ReadOnly(admin.ModelAdmin[Any]):
    """What people and models said is not edited by staff; it can be looked at and deleted."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Conversation)
class ConversationAdmin(ReadOnly):
    list_display = ("id", "title", "owner", "workspace", "model", "last_message_at")
    list_select_related = ("owner", "workspace", "model")
    list_filter = ("title_source",)
    search_fields = ("=id", "=owner__email")
    search_help_text = "A conversation's id or its owner's e-mail address."
    ordering = ("-id",)


@admin.register(Member)
class MemberAdmin(ReadOnly):
    list_display = ("conversation", "user", "workspace", "last_message_at", "archived_at", "pinned")
    list_select_related = ("conversation", "user", "workspace")
    search_fields = ("=conversation__id", "=user__email")
    search_help_text = "A conversation's id or a reader's e-mail address."
    ordering = ("-id",)


@admin.register(Message)
class MessageAdmin(ReadOnly):
    list_display = ("id", "conversation_id", "author", "status", "model_name", "attempt", "created_at")
    list_filter = ("status", "author")
    search_fields = ("=id", "=conversation__id")
    search_help_text = "A message's or a conversation's id."
    ordering = ("-id",)
    raw_id_fields = ("conversation", "parent")


@admin.register(Summary)
class SummaryAdmin(ReadOnly):
    list_display = ("message_id", "model_name", "created_at")
    search_fields = ("=message__id", "=message__conversation__id")
    search_help_text = "A message's or a conversation's id."
    ordering = ("-id",)
    raw_id_fields = ("message",)
