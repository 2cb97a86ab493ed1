"""Staff pages of identities: claimed by a form, verified by an action."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chatcore.accounts.models import Membership
from chatcore.errors import ChatcoreError
from external.identities.actions import mark_verified
from external.identities.handles import checked_channel, normalised
from external.models.identities import Identity


class IdentityForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Identity
        fields = ("workspace", "user", "channel", "value")

    def clean_channel(self) -> str:
        return _said(checked_channel, self.cleaned_data["channel"])

    def clean_value(self) -> str:
        return _said(normalised, self.cleaned_data.get("channel", ""), self.cleaned_data["value"])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        user, workspace = values.get("user"), values.get("workspace")
        if user and workspace and not Membership.objects.filter(user=user, workspace=workspace).exists():
            self.add_error("user", "This user is no member of the workspace.")
        return values


def _said(check: Any, *values: str) -> str:
    try:
        checked: str = check(*values)
    except ChatcoreError as error:
        raise forms.ValidationError(error.detail) from None
    return checked


@admin.register(Identity)
class IdentityAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = IdentityForm
    list_display = ("channel", "value", "user", "workspace", "verified", "created_at")
    list_select_related = ("user", "workspace")
    list_filter = ("channel", ("verified_at", admin.EmptyFieldListFilter))
    search_fields = ("=value", "=user__email", "=workspace__name", "=id")
    autocomplete_fields = ("user", "workspace")
    readonly_fields = ("verified_at", "verified_by", "created_at")
    date_hierarchy = "created_at"
    show_full_result_count = False
    actions = ("verify",)

    @admin.display(boolean=True)
    def verified(self, identity: Identity) -> bool:
        return identity.is_verified

    @admin.action(description="Verify (whoever had it before only claims it then)", permissions=["change"])
    def verify(self, request: HttpRequest, queryset: QuerySet[Identity]) -> None:
        for identity in queryset:
            mark_verified(identity, f"user:{request.user.pk}")
        self.message_user(request, "Messages from there are these users' from now on.")

    def has_change_permission(self, request: HttpRequest, obj: Identity | None = None) -> bool:
        """Of a row nothing is changed: a handle that changes is another identity."""
        return obj is None and super().has_change_permission(request, obj)
