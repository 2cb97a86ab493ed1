"""Staff pages of sources. Secrets go in and never come out again."""

import json
import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from chatcore.errors import ChatcoreError
from external.adapters.adapter import Incoming, Parsed, Received
from external.adapters.registry import adapters
from external.models import Arrival, Fetch, Rejection, ReplyPart, Source
from external.sources import actions
from external.sources.opening import adapter_of, secret_names

SECRET = "secret_"  # noqa: S105


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    adapter = forms.ChoiceField()

    class Meta:
        model = Source
        fields = ("integration", "name", "adapter", "settings", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = adapters()
        self.fields["adapter"].choices = [(name, each.LABEL) for name, each in known.items()]  # type: ignore[attr-defined]
        self.fields["settings"].help_text = " · ".join(
            f"{each.LABEL}: {'; '.join(f'{name} — {what}' for name, what in each.SETTINGS.items())}"
            for each in known.values()
            if each.SETTINGS
        )

    def clean(self) -> dict[str, Any]:
        """What the adapter says of it. Secrets left empty stay as they are."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return given
        typed = {name: value for name in secret_fields() if (value := given.get(f"{SECRET}{name}"))}
        try:
            actions.prepare(self.instance, given["adapter"], given.get("settings") or {}, typed)
        except ChatcoreError as error:
            for problem in error.errors or ():
                _, place, *rest = [*problem.pointer.split("/"), ""]
                field = f"{SECRET}{rest[0]}" if place == "secrets" and rest[0] else place
                self.add_error(
                    field if field in self.fields else None, f"{problem.pointer}: {problem.detail}"
                )
        return given


def secret_fields() -> dict[str, str]:
    """Every secret that some adapter knows, with what it is to each."""
    found: dict[str, list[str]] = {}
    for each in adapters().values():
        for name, what in each.SECRETS.items():
            found.setdefault(name, []).append(f"{each.LABEL}: {what}")
    return {name: " · ".join(told) for name, told in found.items()}


def _form() -> type[SourceForm]:
    """With a field for each secret there is."""
    fields = {
        f"{SECRET}{name}": forms.CharField(
            label=f"Secret: {name.replace('_', ' ')}",
            required=False,
            widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
            help_text=f"{what}. Stored encrypted and never shown again; empty: as it is.",
        )
        for name, what in secret_fields().items()
    }
    return type("SourceSecretsForm", (SourceForm,), fields)


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "adapter", "integration", "address", "enabled", "updated_at")
    list_filter = ("adapter", "enabled")
    list_select_related = ("integration",)
    search_fields = ("name", "integration__name")
    show_full_result_count = False
    autocomplete_fields = ("integration",)
    readonly_fields = ("address", "stored_secrets")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        sources: QuerySet[Source] = super().get_queryset(request)
        return sources.defer("sealed")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "form": _form()})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002
        shown = ["integration", "name", "adapter", "address", "settings", "stored_secrets", "enabled"]
        return [*shown, *(f"{SECRET}{name}" for name in secret_fields())]

    @admin.display(description="URL to paste at the vendor")
    def address(self, source: Source) -> str:
        return "shown when it is saved" if source._state.adding else source.address

    @admin.display(description="stored secrets")
    def stored_secrets(self, source: Source) -> str:
        return ", ".join(secret_names(source)) if not source._state.adding else "none"

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.try_page)
        return [path("<uuid:pk>/try/", page, name="external_source_try"), *super().get_urls()]

    def try_page(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """A sample pasted here is read as if the vendor had sent it. Nothing is stored."""
        source = get_object_or_404(Source.objects.select_related("integration"), pk=pk)
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        sample = request.POST.get("sample", "")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Try {source}",
            "opts": self.opts,
            "source": source,
            "sample": sample,
            "tried": request.method == "POST",
            **(_tried(source, sample) if request.method == "POST" else {}),
        }
        return TemplateResponse(request, "admin/external/source/try.html", context)


def _tried(source: Source, sample: str) -> dict[str, Any]:
    """What the sample says, message by message, and what is wrong with it."""
    try:
        parsed = adapter_of(source).parse(Received(source.address, {}, sample.strip().encode()))
    except ChatcoreError as error:
        return {"problem": error.detail}
    return {"read": [_rows(each) for each in parsed.incoming], "nothing": not any(_said(parsed))}


def _said(parsed: Parsed) -> tuple[object, ...]:
    return (*parsed.incoming, *parsed.confirmations, *([parsed.answer] if parsed.answer else ()))


def _rows(each: Incoming | ChatcoreError) -> dict[str, Any]:
    if isinstance(each, ChatcoreError):
        return {"problem": each.detail}
    values = {
        "text": each.content,
        "external id": each.external_id,
        "author": f"{each.handle} on {each.channel}" if each.handle else each.email,
        "thread": each.thread,
        "title": each.title,
        "metadata": json.dumps(dict(each.metadata), ensure_ascii=False) if each.metadata else "",
        "replies go to": ", ".join(f"{name} {value}" for name, value in each.address.items() if value),
        "files": ", ".join(media.url for media in each.media),
    }
    return {"rows": [(name, value) for name, value in values.items() if value]}


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """To be looked at."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Rejection)
class RejectionAdmin(ReadOnly):
    list_display = ("created_at", "source", "code", "detail", "is_proven")
    list_filter = ("is_proven", "code")
    list_select_related = ("source",)
    search_fields = ("source__name", "detail")
    ordering = ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rejection]:
        rejections: QuerySet[Rejection] = super().get_queryset(request)
        return rejections.select_related("source").defer("source__sealed")


@admin.register(ReplyPart)
class ReplyPartAdmin(ReadOnly):
    list_display = ("created_at", "source", "message_id", "part", "status", "attempts", "error")
    list_filter = ("status",)
    search_fields = ("=message__id", "=vendor_id")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReplyPart]:
        parts: QuerySet[ReplyPart] = super().get_queryset(request)
        return parts.select_related("source").defer("source__sealed")


@admin.register(Fetch)
class FetchAdmin(ReadOnly):
    list_display = ("created_at", "name", "message_id", "status", "attempts", "error")
    list_filter = ("status",)
    search_fields = ("=message__id",)
    ordering = ("-id",)
    exclude = ("authorization",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fetch]:
        fetches: QuerySet[Fetch] = super().get_queryset(request)
        return fetches.defer("authorization")


@admin.register(Arrival)
class ArrivalAdmin(ReadOnly):
    list_display = ("created_at", "source", "message_id")
    search_fields = ("=message__id",)
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Arrival]:
        arrivals: QuerySet[Arrival] = super().get_queryset(request)
        return arrivals.select_related("source").defer("source__sealed")
