"""Staff pages of deployments, and of how they are doing."""

from statistics import median

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format

from chatcore.admin_pages import SHORT_JSON
from chatcore.llm import breakers, candidates
from chatcore.llm.models import Deployment
from chatcore.llm.traffic import DeploymentHealth


@admin.register(Deployment)
class DeploymentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("upstream_name", "model", "provider", "state", "priority", "weight", "enabled")
    list_filter = ("enabled", ("vanished_at", admin.EmptyFieldListFilter), "provider")
    list_editable = ("priority", "weight", "enabled")
    search_fields = ("upstream_name", "model__name", "provider__name")
    show_full_result_count = False
    autocomplete_fields = ("model", "provider")
    formfield_overrides = SHORT_JSON
    actions = ("ask_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        return without_credentials(super().get_queryset(request)).select_related("health")

    @admin.display(ordering="health__open_until")
    def state(self, deployment: Deployment) -> str:
        health = candidates.health_of(deployment)
        words = _state_words(health) if health else "is asked"
        if deployment.vanished_at:
            words += f"; no longer listed since {date_format(deployment.vanished_at, 'j M Y')}"
        return words

    @admin.action(description="Ask again now: close the breaker", permissions=["change"])
    def ask_again(self, request: HttpRequest, queryset: QuerySet[Deployment]) -> None:
        closed = breakers.close(DeploymentHealth.objects.filter(deployment__in=queryset))
        self.message_user(request, f"{closed} closed: these deployments are asked again.")


@admin.register(DeploymentHealth)
class DeploymentHealthAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To be read; the one thing to do is to close breakers."""

    list_display = ("deployment", "state", "reason", "failed_at", "first_token")
    list_filter = ("code",)
    search_fields = ("deployment__upstream_name", "deployment__model__name", "deployment__provider__name")
    show_full_result_count = False
    ordering = ("open_until", "-failed_at")
    fields = (
        "deployment",
        "state",
        "code",
        "detail",
        "failures",
        "failed_at",
        "opened_at",
        "open_until",
        "probing_until",
        "first_token",
    )
    readonly_fields = fields
    actions = ("close_breakers",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeploymentHealth]:
        healths: QuerySet[DeploymentHealth] = super().get_queryset(request)
        related = healths.select_related("deployment__model", "deployment__provider")
        return related.defer("deployment__provider__credential")

    @admin.display(ordering="open_until", description="breaker")
    def state(self, health: DeploymentHealth) -> str:
        return f"{breakers.state_of(health)}: {_state_words(health)}"

    @admin.display(ordering="code", description="last failure")
    def reason(self, health: DeploymentHealth) -> str:
        return f"{health.code}: {health.detail}" if health.detail else health.code or "none"

    @admin.display(description="first token (median)")
    def first_token(self, health: DeploymentHealth) -> str:
        return f"{median(health.latencies):.2f} s" if health.latencies else "not measured"

    @admin.action(description="Close the breaker", permissions=["change"])
    def close_breakers(self, request: HttpRequest, queryset: QuerySet[DeploymentHealth]) -> None:
        closed = breakers.close(queryset)
        self.message_user(request, f"{closed} closed: these deployments are asked again.")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: DeploymentHealth | None = None,  # noqa: ARG002
    ) -> bool:
        return False


def _state_words(health: DeploymentHealth) -> str:
    """What its breaker means for the next question."""
    state = breakers.state_of(health)
    if state == "closed" or health.open_until is None:
        return "is asked"
    if state == "open":
        return f"is not asked until {date_format(health.open_until, 'H:i:s')} UTC ({health.code})"
    return f"one question will try it ({health.code})"


def without_credentials(deployments: QuerySet[Deployment]) -> QuerySet[Deployment]:
    return deployments.select_related("model", "provider").defer("provider__credential")
