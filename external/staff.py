"""Staff pages of the intake: policies, where messages came from, threads, idempotency keys."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from external.models import IdempotencyRecord, IntakeMessage, IntakePolicy, Thread


class ReadOnly(admin.ModelAdmin[Any]):
    """What came to be by itself is looked at, not written."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


@admin.register(IntakePolicy)
class IntakePolicyAdmin(admin.ModelAdmin[IntakePolicy]):
    list_display = ("integration", "strategies", "new_after_hours", "archive_after_days", "keep_days")
    list_select_related = ("integration",)
    search_fields = ("integration__name",)


@admin.register(IntakeMessage)
class IntakeMessageAdmin(ReadOnly):
    list_display = (
        "message_id",
        "integration",
        "source",
        "strategy",
        "external_id",
        "thread",
        "hops",
        "accepted_at",
    )
    list_filter = ("source", "strategy")
    list_select_related = ("integration",)
    search_fields = ("external_id", "thread", "integration__name")
    ordering = ("-message_id",)
    show_full_result_count = False


@admin.register(Thread)
class ThreadAdmin(ReadOnly):
    list_display = ("name", "integration", "user", "conversation", "opened_at", "closed_at")
    list_select_related = ("integration", "user", "conversation")
    search_fields = ("name", "integration__name", "user__email")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnly):
    list_display = ("key", "route", "integration", "status", "created_at")
    list_filter = ("route",)
    list_select_related = ("integration",)
    search_fields = ("key", "integration__name")
    exclude = ("fingerprint",)
    ordering = ("-id",)
    show_full_result_count = False
