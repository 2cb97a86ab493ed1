"""Staff pages of conversations: readable and searchable at a million rows, changed by actions only."""

from django.contrib import admin

from chatcore.admin_pages import Written
from conversations.models import Attachment, Comparison, Conversation, Member, Message, Summary


@admin.register(Conversation)
class ConversationAdmin(Written):
    list_display = ("id", "title", "owner", "workspace", "model", "last_message_at")
    list_select_related = ("owner", "workspace", "model")
    list_filter = ("title_source",)
    search_fields = ("=id", "=owner__email")
    search_help_text = "A conversation's id or its owner's e-mail address."
    ordering = ("-id",)


@admin.register(Member)
class MemberAdmin(Written):
    list_display = ("conversation", "user", "workspace", "last_message_at", "archived_at", "pinned")
    list_select_related = ("conversation", "user", "workspace")
    search_fields = ("=conversation__id", "=user__email")
    search_help_text = "A conversation's id or a reader's e-mail address."
    ordering = ("-id",)


@admin.register(Message)
class MessageAdmin(Written):
    list_display = ("id", "conversation_id", "author", "status", "model_name", "attempt", "created_at")
    list_filter = ("status", "author")
    search_fields = ("=id", "=conversation__id")
    search_help_text = "A message's or a conversation's id."
    ordering = ("-id",)
    raw_id_fields = ("conversation", "parent")


@admin.register(Summary)
class SummaryAdmin(Written):
    list_display = ("message_id", "model_name", "created_at")
    search_fields = ("=message__id", "=message__conversation__id")
    search_help_text = "A message's or a conversation's id."
    ordering = ("-id",)
    raw_id_fields = ("message",)


@admin.register(Comparison)
class ComparisonAdmin(Written):
    list_display = ("id", "message_id", "model_names", "chosen_id", "chosen_by", "chosen_at")
    search_fields = ("=id", "=message__id", "=chosen_by")
    search_help_text = "An id of a comparison or its message, or who chose: user:<id>, integration:<id>."
    ordering = ("-id",)
    raw_id_fields = ("message", "chosen")


@admin.register(Attachment)
class AttachmentAdmin(Written):
    list_display = ("id", "name", "media_type", "size", "message_id", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("=id", "=message__id", "=sha256")
    search_help_text = "An id of an attachment or its message, or the SHA-256 of its bytes."
    ordering = ("-id",)
    raw_id_fields = ("message",)
