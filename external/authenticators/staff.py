"""Staff pages of authenticators. A secret goes in and never comes out again."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chatcore.errors import ChatcoreError
from external.authenticators.actions import check_usable, saved
from external.authenticators.kinds import kinds
from external.authenticators.proofs import Given
from external.models import Authenticator


class AuthenticatorForm(forms.ModelForm):  # type: ignore[type-arg]
    kind = forms.ChoiceField()
    new_secret = forms.CharField(
        label="Secret",
        required=False,
        strip=True,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted and never shown again. Leave empty to keep the one there is.",
    )

    class Meta:
        model = Authenticator
        fields = ("integration", "name", "kind", "options", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = kinds()
        self.fields["kind"].choices = [(name, each.LABEL) for name, each in known.items()]  # type: ignore[attr-defined]
        self.fields["options"].help_text = " · ".join(
            f"{each.LABEL}: {', '.join(f'{option} ({what})' for option, what in each.OPTIONS.items())}"
            for each in known.values()
            if each.OPTIONS
        )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if {"kind", "options"} <= given.keys():
            secret = given.get("new_secret") or ("" if self.instance._state.adding else self.instance.secret)
            try:
                check_usable(given["kind"], Given(self.instance.pk, given["options"] or {}, secret))
            except ChatcoreError as refusal:
                raise forms.ValidationError(refusal.detail) from None
        return given


@admin.register(Authenticator)
class AuthenticatorAdmin(admin.ModelAdmin[Authenticator]):
    form = AuthenticatorForm
    list_display = ("name", "integration", "kind", "enabled", "last_used_at")
    list_filter = ("kind", "enabled")
    search_fields = ("name", "integration__name", "integration__workspace__name", "=id")
    show_full_result_count = False
    autocomplete_fields = ("integration",)
    fields = ("id", "integration", "name", "kind", "options", "new_secret", "enabled", "last_used_at")
    readonly_fields = ("id", "last_used_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Authenticator]:
        rows = super().get_queryset(request)
        return rows.select_related("integration").defer("secret")

    def save_model(self, request: HttpRequest, obj: Authenticator, form: Any, change: bool) -> None:  # noqa: ARG002
        if typed := form.cleaned_data.get("new_secret"):
            obj.secret = typed
        obj.options = obj.options or {}
        saved(obj, moved="options" in form.changed_data)
