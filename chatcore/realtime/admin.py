"""Staff page of the event log: to be read, never written."""

from django.contrib import admin

from chatcore.admin_pages import Kept
from chatcore.realtime.models import Event


@admin.register(Event)
class EventAdmin(Kept):
    list_display = ("id", "type", "actor", "conversation_id", "created_at")
    search_fields = ("=id", "=conversation_id")
    search_help_text = "An event's or a conversation's id."
    ordering = ("-id",)
