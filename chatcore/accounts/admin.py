"""Staff pages of the accounts. A key's text is shown once, to whoever makes it; its digest never."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest

from chatcore.accounts import keys
from chatcore.accounts.grants import validate_grant
from chatcore.accounts.models import Integration, Key, Membership, User, Workspace
from chatcore.accounts.roles import ROLES


class UserAddForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "name")


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ("user", "workspace")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    add_form = UserAddForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    show_full_result_count = False
    readonly_fields = ("last_login", "date_joined")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "id", "created_at")
    search_fields = ("name", "=id")
    show_full_result_count = False
    inlines = (MembershipInline,)


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("user", "workspace", "role", "joined_at")
    list_filter = ("role",)
    list_select_related = ("user", "workspace")
    search_fields = ("user__email", "workspace__name")
    autocomplete_fields = ("user", "workspace")
    show_full_result_count = False


class IntegrationForm(forms.ModelForm):  # type: ignore[type-arg]
    role = forms.ChoiceField(
        choices=[("", "—"), *((name, name) for name in ROLES)],
        required=False,
        help_text="Adds the grants of this role to those above.",
    )

    class Meta:
        model = Integration
        fields = (
            "workspace",
            "name",
            "acts_as",
            "enabled",
            "grants",
            "allowed_addresses",
            "constraints",
        )
        help_texts: ClassVar[dict[str, str]] = {
            "allowed_addresses": "Separated by commas: addresses or networks (CIDR) its keys may come from. "
            "Empty: any.",
            "constraints": "JSON with any of models, conversations, threads, metadata_schema, "
            "requests_per_minute, concurrency. What may be used in a day is a budget.",
            "grants": "Separated by commas: resource:action or resource:action:selector, for example "
            "messages:write, conversations:read, models:use:gpt-*.",
        }

    def clean_grants(self) -> list[str]:
        """The model checks them too, but a form shows an array's faults without their words."""
        grants: list[str] = self.cleaned_data["grants"]
        for text in grants:
            validate_grant(text)
        return grants

    def clean_constraints(self) -> dict[str, Any]:
        return self.cleaned_data["constraints"] or {}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if "grants" in values:
            values["grants"] = sorted({*values["grants"], *ROLES.get(values.get("role", ""), ())})
        return values


class KeyInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Key
    extra = 0
    fields = ("public_id", "created_at", "expires_at", "revoked_at", "last_used_at")
    readonly_fields = fields
    can_delete = False
    ordering = ("-created_at",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """A key is made by the integration's action, which alone can show it."""
        return False


@admin.register(Integration)
class IntegrationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = IntegrationForm
    list_display = ("name", "workspace", "acts_as", "enabled", "created_at")
    list_filter = ("enabled",)
    list_select_related = ("workspace", "acts_as")
    search_fields = ("name", "workspace__name", "acts_as__email", "=id")
    autocomplete_fields = ("workspace", "acts_as")
    show_full_result_count = False
    actions = ("mint_key", "rotate_key")

    def get_inlines(self, request: HttpRequest, obj: Integration | None) -> Any:  # noqa: ARG002
        """One that is not there yet has no keys."""
        return (KeyInline,) if obj else ()

    @admin.action(description="Make a key (shown once)", permissions=["change"])
    def mint_key(self, request: HttpRequest, queryset: QuerySet[Integration]) -> None:
        for integration in queryset:
            try:
                _, text = keys.mint(integration)
            except keys.TooManyKeys as refusal:
                self.message_user(request, f"{integration}: {refusal.detail}", messages.ERROR)
            else:
                self._show(request, integration, text)

    @admin.action(
        description="Rotate the key (shown once; the last one lives on for a day)", permissions=["change"]
    )
    def rotate_key(self, request: HttpRequest, queryset: QuerySet[Integration]) -> None:
        for integration in queryset:
            self._show(request, integration, keys.rotate(integration)[1])

    def _show(self, request: HttpRequest, integration: Integration, text: str) -> None:
        self.message_user(request, f"{integration}: {text} (copy it now, it is not shown again)")


@admin.register(Key)
class KeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("__str__", "integration", "live", "created_at", "expires_at", "last_used_at")
    list_select_related = ("integration",)
    search_fields = ("public_id", "integration__name", "integration__workspace__name")
    fields = ("integration", "public_id", "created_at", "expires_at", "revoked_at", "last_used_at")
    readonly_fields = ("integration", "public_id", "created_at", "revoked_at", "last_used_at")
    date_hierarchy = "created_at"
    show_full_result_count = False
    actions = ("revoke",)

    @admin.display(boolean=True)
    def live(self, key: Key) -> bool:
        return key.is_live

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Key]) -> None:
        for key in queryset:
            keys.revoke(key)
        self.message_user(request, "Revoked. Open connections of these keys are being closed.")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """A key is made by the action of its integration, which alone can show it."""
        return False
