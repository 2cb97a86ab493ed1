"""Pages of usage: what was used in some days, and the budgets."""

import uuid

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatcore.accounts.web import PrincipalRequest, with_principal
from chatcore.errors import Invalid, NotFound
from chatcore.usage import actions, overview
from chatcore.usage.errors import SetByStaff
from chatcore.usage.forms import BudgetForm
from chatcore.usage.models import Budget
from chatcore.usage.querysets import sees_everybody
from chatcore.usage.summaries import total_of


@never_cache
@require_safe
@with_principal
def usage(request: PrincipalRequest) -> HttpResponse:
    """Figures, the days as a chart and a table, shares, and budgets with where they stand."""
    request.principal.require("usage:read")
    wish = overview.read_wish(request.GET.dict())
    days = overview.days_of(wish, request.principal)
    standings = overview.standings_of(request.principal)
    total = total_of(days)
    context = {
        "wish": wish,
        "spans": overview.SPANS,
        "measures": overview.MEASURES,
        "groups": overview.SHARES,
        "days": days,
        "total": total,
        "currency": overview.main_currency(days),
        "chart": overview.chart_of(wish, days),
        "shares": overview.shares_of(wish, request.principal),
        "standings": standings,
        "passes_unpriced": overview.notes_of(request.principal, total, standings),
        "everybody": sees_everybody(request.principal),
        "may_change": request.principal.may("budgets:write"),
    }
    return render(request, "usage/usage.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_principal
def add_budget(request: PrincipalRequest) -> HttpResponse:
    request.principal.require("budgets:write")
    return _form(request, None)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_principal
def edit_budget(request: PrincipalRequest, budget_id: uuid.UUID) -> HttpResponse:
    request.principal.require("budgets:write")
    budget = Budget.objects.for_principal(request.principal).filter(pk=budget_id).first()
    if budget is None:
        raise NotFound
    if budget.set_by_staff:
        raise SetByStaff
    return _form(request, budget)


@require_POST
@with_principal
def remove_budget(request: PrincipalRequest, budget_id: uuid.UUID) -> HttpResponse:
    actions.remove_budget(request.principal, budget_id)
    return redirect("usage")


def _form(request: PrincipalRequest, budget: Budget | None) -> HttpResponse:
    """The form, or back to the page once what was sent is stored."""
    form = BudgetForm(request.principal.workspace, budget, request.POST or None)
    if form.is_valid():
        try:
            if budget is None:
                actions.add_budget(request.principal, **form.budget_fields())
            else:
                actions.change_budget(request.principal, budget.pk, **form.budget_fields())
            return redirect("usage")
        except Invalid as refusal:
            form.complain(refusal)
    return render(
        request, "usage/budget.html", {"form": form, "budget": budget}, status=422 if form.errors else 200
    )
