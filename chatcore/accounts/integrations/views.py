"""Pages of integrations: the list, one with its keys, the form. A key's text is shown in the answer that made it."""

import uuid

from django.db.models import Max, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatcore.accounts.integrations import actions
from chatcore.accounts.integrations.examples import curl_example
from chatcore.accounts.integrations.forms import IntegrationForm
from chatcore.accounts.integrations.ways import open_besides_keys
from chatcore.accounts.keys import LIVE_KEYS
from chatcore.accounts.models import Integration
from chatcore.accounts.web import PrincipalRequest, with_principal
from chatcore.errors import Conflict, Forbidden, Invalid

FORMS = ["GET", "HEAD", "POST"]


@never_cache
@require_safe
@with_principal
def integrations(request: PrincipalRequest) -> HttpResponse:
    request.principal.require(actions.MANAGE)
    found = Integration.objects.filter(workspace=request.principal.workspace).select_related("acts_as")
    rows = found.annotate(last_used_at=Max("keys__last_used_at")).order_by("name")
    now = timezone.now()
    live = Q(keys__revoked_at=None) & (Q(keys__expires_at=None) | Q(keys__expires_at__gt=now))
    with_key = set(found.filter(live, keys__isnull=False).values_list("pk", flat=True))
    reached = with_key | set(open_besides_keys([row.pk for row in rows]))
    return render(request, "integrations/list.html", {"rows": rows, "reached": reached})


@never_cache
@require_http_methods(FORMS)
@with_principal
def add_integration(request: PrincipalRequest) -> HttpResponse:
    request.principal.require(actions.MANAGE)
    form = IntegrationForm(request.principal, data=request.POST or None)
    if form.is_valid():
        try:
            made = actions.create_integration(request.principal, **form.integration_fields())
            return redirect("integration", made.pk)
        except (Invalid, Forbidden) as refusal:
            form.complain(refusal)
    return render(request, "integrations/form.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@require_safe
@with_principal
def integration(request: PrincipalRequest, integration_id: uuid.UUID) -> HttpResponse:
    found = actions.find_integration(request.principal, integration_id)
    return render(request, "integrations/integration.html", _shown(found))


@never_cache
@require_http_methods(FORMS)
@with_principal
def edit_integration(request: PrincipalRequest, integration_id: uuid.UUID) -> HttpResponse:
    found = actions.find_integration(request.principal, integration_id)
    form = IntegrationForm(request.principal, found, actions.constraints_of(found), request.POST or None)
    if form.is_valid():
        try:
            actions.change_integration(request.principal, found.pk, **form.integration_fields())
            return redirect("integration", found.pk)
        except (Invalid, Forbidden) as refusal:
            form.complain(refusal)
    context = {"form": form, "integration": found}
    return render(request, "integrations/form.html", context, status=422 if form.errors else 200)


@require_POST
@with_principal
def remove_integration(request: PrincipalRequest, integration_id: uuid.UUID) -> HttpResponse:
    actions.remove_integration(request.principal, integration_id)
    return redirect("integrations")


@never_cache
@require_POST
@with_principal
def make_key(request: PrincipalRequest, integration_id: uuid.UUID) -> HttpResponse:
    """A first key or, with `rotate`, another one for the last."""
    make = actions.rotate_key if "rotate" in request.POST else actions.add_key
    text, refusal = "", ""
    try:
        text = make(request.principal, integration_id)[1]
    except (Conflict, Forbidden) as refused:
        refusal = refused.detail
    return _keys(request, integration_id, text, refusal)


@require_POST
@with_principal
def revoke_key(request: PrincipalRequest, integration_id: uuid.UUID, key_id: uuid.UUID) -> HttpResponse:
    actions.revoke_key(request.principal, integration_id, key_id)
    return _keys(request, integration_id)


def _keys(
    request: PrincipalRequest, integration_id: uuid.UUID, text: str = "", refusal: str = ""
) -> HttpResponse:
    """The part of the page that has changed, or the whole page for a browser without scripts."""
    found = actions.find_integration(request.principal, integration_id)
    made = {"text": text, "curl": curl_example(found, text)} if text else None
    context = _shown(found) | {"made": made, "refusal": refusal}
    page = "integrations/integration.html"
    template = f"{page}#keys" if request.htmx else page  # type: ignore[attr-defined]
    return render(request, template, context, status=200)


def _shown(found: Integration) -> dict[str, object]:
    keys = list(found.keys.order_by("-created_at", "-pk")[:20])
    live = sum(key.is_live for key in keys)
    return {
        "integration": found,
        "constraints": actions.constraints_of(found),
        "keys": keys,
        "ways": [] if keys else open_besides_keys([found.pk]).get(found.pk, []),
        "live": live,
        "is_full": live >= LIVE_KEYS,
    }
