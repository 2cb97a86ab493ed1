"""Staff page of the event log: to be read, never written."""

from django.contrib import admin
from django.http import HttpRequest

from chatcore.realtime.models import Event


@admin.register(Event)
class EventAdmin(admin.ModelAdmin[Event]):
    list_display = ("id", "type", "actor", "conversation_id", "created_at")
    search_fields = ("=id", "=conversation_id")
    search_help_text = "An event's or a conversation's id."
    ordering = ("-id",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:  # noqa: ARG002
        return False
