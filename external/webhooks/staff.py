"""Staff pages of webhooks: looked at, removed, and delivered again; people of a workspace change their own."""

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest

from chatcore.admin_pages import Kept, Written
from external.models import Attempt, Delivery, Webhook
from external.webhooks.actions import send_again
from external.webhooks.querysets import DeliveryQuerySet

SECRETS = ("secret", "previous_secret")


@admin.register(Webhook)
class WebhookAdmin(Written):
    list_display = ("url", "workspace", "status", "reason", "failures", "failing_since", "held_until")
    list_select_related = ("workspace",)
    list_filter = ("status", "payload", "ordered")
    search_fields = ("=id", "url", "=workspace__name")
    search_help_text = "An id, part of an address, or a workspace's name."
    exclude = SECRETS
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> "models.QuerySet[Any]":
        return super().get_queryset(request).defer(*SECRETS)


class AttemptInline(admin.TabularInline[Attempt, Delivery]):
    model = Attempt
    extra = 0
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Delivery)
class DeliveryAdmin(Kept):
    list_display = ("id", "webhook", "event_type", "status", "attempts", "due_at", "created_at")
    list_filter = ("status",)
    search_fields = ("=id", "=webhook__id", "=conversation", "=message")
    search_help_text = "An id of a delivery, a webhook, a conversation or a message."
    ordering = ("-id",)
    inlines = (AttemptInline,)
    actions = ("deliver_again",)

    def get_queryset(self, request: HttpRequest) -> "models.QuerySet[Any]":
        found = super().get_queryset(request).select_related("webhook")
        return found.defer(*(f"webhook__{name}" for name in SECRETS))

    @admin.action(description="Deliver again, where the webhook is active")
    def deliver_again(self, request: HttpRequest, queryset: DeliveryQuerySet) -> None:
        messages.info(request, f"{send_again(queryset)} are sent again.")
