"""Staff pages of usage. The ledger and what is counted from it are looked at, budgets are edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chatcore.admin_pages import Kept
from chatcore.usage.actions import delete_budgets, save_budget
from chatcore.usage.models import Budget, Reservation, Spending, Usage, UsageDay


class Costing(Kept):
    @admin.display(ordering="cost", description="cost")
    def costs(self, row: Usage | UsageDay) -> str:
        """To the last digit: single calls cost less than a cent."""
        return "unknown" if row.cost is None else f"{row.cost.normalize():f} {row.currency}"


@admin.register(Usage)
class UsageAdmin(Costing):
    list_display = (
        "created_at",
        "model_name",
        "costs",
        "outcome",
        "user",
        "workspace",
        "purpose",
        "input_tokens",
        "output_tokens",
        "estimated",
        "code",
    )
    list_select_related = ("workspace", "user")
    list_filter = ("outcome", "purpose", "estimated")
    search_fields = ("=id", "=message", "=conversation", "=user__email", "=model_name")
    search_help_text = "An id of a call, a reply or a conversation, a user's e-mail address, a model's name."
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")


@admin.register(UsageDay)
class UsageDayAdmin(Costing):
    list_display = (
        "day",
        "workspace",
        "model_name",
        "calls",
        "failures",
        "costs",
        "unknown_cost_calls",
    )
    list_select_related = ("workspace",)
    search_fields = ("=workspace__name", "=model_name")
    date_hierarchy = "day"
    ordering = ("-day", "-calls")


BUDGET_HELP = {
    "user": "Only what is used in this user's name. Empty: everybody in the workspace.",
    "integration": "Only what this integration uses. Empty: all of them.",
    "model": "Only what this model is used for. Empty: every model.",
    "period": "In UTC.",
    "limit": "Requests and tokens are whole numbers; money may have a fraction, for example 0.05.",
}


@admin.register(Budget)
class BudgetAdmin(admin.ModelAdmin[Budget]):
    list_display = ("__str__", "spent", "workspace", "covers", "strict", "set_by_staff", "enabled")
    list_select_related = ("workspace", "user", "integration", "model")
    list_filter = ("unit", "period", "set_by_staff", "enabled")
    search_fields = ("workspace__name", "user__email", "integration__name", "model__name")
    autocomplete_fields = ("workspace", "user", "integration", "model")
    show_full_result_count = False
    fields = (
        "workspace",
        "user",
        "integration",
        "model",
        ("unit", "period"),
        ("limit", "currency"),
        "strict",
        "set_by_staff",
        "enabled",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Budget]:
        return super().get_queryset(request).with_spent()  # type: ignore[attr-defined, no-any-return]

    def get_form(
        self, request: HttpRequest, obj: Budget | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return super().get_form(request, obj, change, help_texts=BUDGET_HELP, **kwargs)

    @admin.display(description="spent now")
    def spent(self, budget: Budget) -> str:
        words = budget.amount_words(budget.spent_now)
        return f"{words}: all of it" if budget.spent_now >= budget.limit else words

    @admin.display(description="covers")
    def covers(self, budget: Budget) -> str:
        """Whom, and what of theirs."""
        whom = budget.user or budget.integration or "everybody"
        return f"{whom}, {budget.model}" if budget.model else str(whom)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What staff add is theirs, unless they leave it to the owners."""
        return {"set_by_staff": True, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:  # noqa: ARG002
        save_budget(obj)

    def delete_model(self, request: HttpRequest, obj: Budget) -> None:  # noqa: ARG002
        delete_budgets([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:  # noqa: ARG002
        delete_budgets(queryset)


@admin.register(Spending)
class SpendingAdmin(Kept):
    list_display = ("budget", "starts_on", "spent", "reserved")
    list_select_related = ("budget",)
    search_fields = ("=budget__id", "=budget__workspace__name")
    ordering = ("-starts_on", "-id")


@admin.register(Reservation)
class ReservationAdmin(Kept):
    list_display = ("message", "spending", "amount", "created_at")
    list_select_related = ("spending__budget",)
    search_fields = ("=message",)
    ordering = ("-id",)
