"""Staff pages of schedules and of what became of them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from chatcore.admin_pages import Kept
from chatcore.errors import ChatcoreError
from external.models.schedules import Schedule, ScheduleRun
from external.schedules import actions


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Its workspace is that of its integration."""

    class Meta:
        model = Schedule
        fields = (
            "name",
            "integration",
            "owner",
            "content",
            "title",
            "conversation",
            "thread",
            "respond",
            "model_name",
            "cron",
            "time_zone",
            "at",
            "missed",
            "enabled",
        )

    @property
    def timing_changed(self) -> bool:
        return self.instance._state.adding or bool(actions.TIMING & set(self.changed_data))

    def _post_clean(self) -> None:
        """Django has filled in the row here: it is checked as the API checks it."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        self.instance.workspace = self.instance.integration.workspace
        try:
            actions.check_schedule(self.instance, timezone.now() if self.timing_changed else None)
        except ChatcoreError as error:
            pointer = error.errors[0].pointer.strip("/") if error.errors else ""
            self.add_error(pointer if pointer in self.fields else None, error.detail)


@admin.register(Schedule)
class ScheduleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ScheduleForm
    list_display = ("name", "workspace", "integration", "cron", "at", "time_zone", "enabled", "next_run_at")
    list_select_related = ("workspace", "integration")
    list_filter = ("enabled", "missed")
    search_fields = ("name", "integration__name", "workspace__name", "=id")
    autocomplete_fields = ("integration", "owner")
    readonly_fields = ("next_run_at", "created_by", "created_at")
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = f"user:{request.user.pk}"
        actions.save_schedule(obj, timing_changed=form.timing_changed)


@admin.register(ScheduleRun)
class ScheduleRunAdmin(Kept):
    list_display = ("due_at", "schedule", "outcome", "missed", "message", "code")
    list_select_related = ("schedule",)
    list_filter = ("outcome",)
    search_fields = ("=schedule__name", "=schedule__id", "=message", "=conversation")
    date_hierarchy = "due_at"
    ordering = ("-due_at", "-id")
