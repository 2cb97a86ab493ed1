"""Staff pages of providers. A provider's key goes in and never comes out again."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from chatcore.admin_pages import SHORT_JSON
from chatcore.llm import listing, model_facts
from chatcore.llm.actions import add_models
from chatcore.llm.errors import ProviderError
from chatcore.llm.kinds import kinds
from chatcore.llm.models import FROM_ENVIRONMENT, Provider
from chatcore.llm.moving import KEY_AGAIN, leaves_its_key
from chatcore.llm.providers import Provider as ProviderClass
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.refresh import Refreshed, refresh
from chatcore.llm.services import SERVICES
from chatcore.security.fields import Unreadable

# Seconds that somebody waits for a list on a page; LiteLLM's process may have to start first.
LIST_TIMEOUT, LITELLM_TIMEOUT = 10.0, 40.0
WANTED: Mapping[str, Any] = {"kind": "", "base_url": "", "options": {}}
TAKEN = {
    NON_FIELD_ERRORS: {"unique_together": "There is a provider of that name already. Choose another name."}
}


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    service = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Another: choose its kind below"),
            *((each.name, each.label) for each in SERVICES.values()),
        ],
        help_text="Its address is known then: most services want nothing more than a key.",
    )
    kind = forms.ChoiceField(required=False)
    new_credential = forms.CharField(
        label="Key",
        required=False,
        strip=True,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted and never shown again. Servers of your own often want none.",
    )

    class Meta:
        model = Provider
        fields = ("name", "kind", "base_url", "options", "workspace", "enabled")
        error_messages = TAKEN
        help_texts: ClassVar = {
            "name": "What staff call it; people see it where another provider had to answer in its place.",
            "base_url": "With its version, e.g. https://api.example.com/v1. Empty: the service's own.",
            "workspace": "Whose it is. Empty: all workspaces may use it.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["new_credential"].label = "New key"
            self.fields[
                "new_credential"
            ].help_text = "Empty: the stored one stays, which is never shown. Another address needs it again."
        known = kinds()
        self.fields["kind"].choices = [(name, each.LABEL) for name, each in known.items()]  # type: ignore[attr-defined]
        self.fields["options"].help_text = format_html_join(
            "", "<strong>{}</strong><ul>{}</ul>", ((each.LABEL, _options_of(each)) for each in known.values())
        )

    def clean(self) -> dict[str, Any]:
        """A service that was chosen says what was left out."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if "options" in given:
            given["options"] = given["options"] or {}
        service = SERVICES.get(given.get("service", ""))
        if service and (service.own_address or not given.get("base_url")):
            given["kind"] = service.kind
            given["base_url"] = given.get("base_url") or service.base_url
            given["options"] = {**service.options, **(given.get("options") or {})}
            if service.own_address and not given["base_url"]:
                self.add_error("base_url", f"{service.label} has another address for each customer.")
        elif not given.get("kind"):
            self.add_error("kind", "Choose a service or a kind.")
        self._keep_key_where_it_belongs(given)
        return given

    def _keep_key_where_it_belongs(self, given: Mapping[str, Any]) -> None:
        wanted = {name: given.get(name) or empty for name, empty in WANTED.items()}
        if not given.get("new_credential") and leaves_its_key(self.instance, **wanted):
            self.add_error("new_credential", f"The key {KEY_AGAIN}. Type it here, or undo the change.")


def _options_of(kind: type[ProviderClass]) -> SafeString:
    return format_html_join("", "<li><code>{}</code>: {}</li>", kind.OPTIONS.items())


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProviderForm
    list_display = ("name", "kind", "base_url", "workspace", "enabled", "updated_at")
    list_filter = ("kind", "enabled")
    list_select_related = ("workspace",)
    search_fields = ("name", "base_url")
    show_full_result_count = False
    autocomplete_fields = ("workspace",)
    fieldsets = (
        (None, {"fields": ("name", "service", "base_url", "new_credential", "workspace", "enabled")}),
        ("Another service: how it is spoken to", {"fields": ("kind", "options")}),
    )
    formfield_overrides = SHORT_JSON
    actions = ("choose_models", "refresh_models")

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        typed = form.cleaned_data.get("new_credential")
        if typed:
            obj.credential = typed
            obj.options.pop(FROM_ENVIRONMENT, None)
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: Provider, post_url_continue: str | None = None
    ) -> HttpResponse:
        """A new provider is of no use without models: choose them next."""
        if "_popup" in request.POST or "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, f"{obj} is saved. Choose the models to use.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:llm_provider_models", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.models_page)
        return [path("<uuid:pk>/models/", page, name="llm_provider_models"), *super().get_urls()]

    @admin.action(description="Choose models")
    def choose_models(self, request: HttpRequest, queryset: QuerySet[Provider]) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) == 1:
            return HttpResponseRedirect(reverse("admin:llm_provider_models", args=[chosen[0].pk]))
        self.message_user(request, "Choose one provider at a time.", messages.WARNING)
        return None

    @admin.action(description="Refresh the list of models")
    def refresh_models(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        for provider in queryset:
            try:
                self.message_user(request, _told(provider, refresh(provider)))
            except ProviderError as error:
                words = f"{provider}: {listing.words_of(error)} ({error})"
                self.message_user(request, words, messages.ERROR)
            except Unreadable as error:
                self.message_user(request, f"{provider}: {error.detail}", messages.ERROR)

    def models_page(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What the provider lists, to choose from."""
        provider = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, provider):
            raise PermissionDenied
        if request.method == "POST" and self._add_chosen(request, provider):
            return HttpResponseRedirect(reverse("admin:llm_model_changelist"))
        present = set(provider.deployments.values_list("upstream_name", flat=True))
        names, problem, said = _listed(provider)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Models of {provider}",
            "opts": self.opts,
            "provider": provider,
            "problem": problem,
            "said": said,
            "choices": [(name, name in present) for name in names],
            "others": sorted(present - {*names}),
        }
        return TemplateResponse(request, "admin/llm/provider/models.html", context)

    def _add_chosen(self, request: HttpRequest, provider: Provider) -> bool:
        """Whether anything was chosen. What staff chose is taken, whatever the map thinks of it."""
        typed = request.POST.get("typed", "").split()
        chosen = [model_facts.known_model(name) for name in [*request.POST.getlist("name"), *typed]]
        if not chosen:
            self.message_user(request, "Nothing was chosen: tick or type at least one.", messages.WARNING)
            return False
        described = {each.name: each for each in model_facts.described(_without_key(provider), chosen)}
        added = add_models(provider, [described.get(each.name, each) for each in chosen])
        names = ", ".join(map(str, added))
        words = format_html('{} now has {}. <a href="/">Ask one</a>', str(provider), names)
        self.message_user(request, words, messages.SUCCESS)
        return True


def _without_key(provider: Provider) -> ProviderSettings:
    return ProviderSettings(provider.kind, provider.base_url, "", provider.options)


def _told(provider: Provider, news: Refreshed) -> str:
    parts = [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("added", news.added),
            ("no longer listed", news.vanished),
            ("listed again", news.returned),
        )
        if names
    ]
    if news.offered:
        parts.append(f"{len(news.offered)} new ones are too many to add unasked; choose on its Models page")
    return f"{provider}: {'; '.join(parts) or 'nothing has changed'}."


def _listed(provider: Provider) -> tuple[list[str], str, str]:
    """The names, what went wrong, and what the provider said of it."""
    within = LITELLM_TIMEOUT if provider.kind == "litellm" else LIST_TIMEOUT
    try:
        return listing.listed_models(provider.settings(), within=within), "", ""
    except ProviderError as error:
        return [], listing.words_of(error), str(error)
    except Unreadable as error:
        return [], error.detail, ""
