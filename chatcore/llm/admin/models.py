"""Staff pages of models, with their deployments and fallbacks."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import Field, Prefetch, QuerySet
from django.http import HttpRequest

from chatcore.accounts.models import Membership
from chatcore.admin_pages import SHORT_JSON
from chatcore.llm.actions import make_default
from chatcore.llm.admin.deployments import without_credentials
from chatcore.llm.models import Deployment, Fallback, Model


class DeploymentInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Deployment
    extra = 0
    autocomplete_fields = ("provider",)
    # Limits a minute, and prices that differ from the model's, stand on the deployment's own page.
    fields = ("provider", "upstream_name", "priority", "weight", "max_concurrent", "enabled")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        return without_credentials(super().get_queryset(request))


class FallbackInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Fallback
    fk_name = "model"
    extra = 0
    autocomplete_fields = ("to",)


class ModelForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        error_messages: ClassVar = {
            NON_FIELD_ERRORS: {
                "unique_together": "There is a model of that name already. Choose another name."
            }
        }


@admin.register(Model)
class ModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ModelForm
    list_display = ("label", "name", "answers", "workspace", "enabled", "is_default")
    list_filter = ("enabled", "is_default")
    list_select_related = ("workspace",)
    search_fields = ("label", "name")
    show_full_result_count = False
    autocomplete_fields = ("workspace",)
    # One model is the default: it is moved by the action, not ticked twice.
    fieldsets = (
        (None, {"fields": ("label", "name", "workspace", "visible_to", "enabled")}),
        (
            "What it can",
            {
                "fields": (
                    ("context_window", "max_output"),
                    ("supports_vision", "supports_tools", "supports_reasoning", "supports_json"),
                )
            },
        ),
        ("How it is asked, and what it costs", {"fields": ("strategy", "default_params", "prices")}),
    )
    formfield_overrides = SHORT_JSON
    inlines = (DeploymentInline, FallbackInline)
    actions = ("make_default",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        models: QuerySet[Model] = super().get_queryset(request)
        return models.prefetch_related(Prefetch("deployments", without_credentials(Deployment.objects.all())))

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "visible_to":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return forms.MultipleChoiceField(
            choices=Membership.Role.choices,
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text="Roles that may choose it. None ticked: everybody.",
        )

    @admin.display(description="answered at")
    def answers(self, model: Model) -> str:
        """Where, and that nobody does: such a model is not offered to anyone."""
        places = [
            each.provider.name for each in model.deployments.all() if each.enabled and each.provider.enabled
        ]
        return ", ".join(dict.fromkeys(places)) or "nowhere: add a deployment"

    @admin.action(description="Make the default")
    def make_default(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, "Choose one model.", messages.WARNING)
            return
        make_default(chosen[0])
        self.message_user(request, f"{chosen[0]} answers where nothing else is chosen.")
