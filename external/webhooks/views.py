"""Pages of webhooks: the list, one with its log, a delivery with its attempts, and the forms."""

import json
import uuid
from typing import get_args

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatcore.accounts.web import PrincipalRequest, with_principal
from chatcore.errors import Invalid
from external.models import Webhook
from external.webhooks import actions
from external.webhooks.errors import TooManyWebhooks, WebhookInactive
from external.webhooks.forms import WebhookForm
from external.webhooks.resources import DeliveryResource

PAGE = 50
STATUSES = get_args(DeliveryResource.model_fields["status"].annotation)


@never_cache
@require_safe
@with_principal
def webhooks(request: PrincipalRequest) -> HttpResponse:
    """Every webhook of the workspace with how it fares."""
    request.principal.require(actions.MANAGE)
    found = Webhook.objects.for_principal(request.principal).order_by("id")
    return render(request, "webhooks/webhooks.html", {"webhooks": found})


@never_cache
@require_safe
@with_principal
def webhook(request: PrincipalRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """What it asks for, and its log, the newest first, narrowed by `status` and continued by `before`."""
    found = actions.find_webhook(request.principal, webhook_id)
    status = request.GET.get("status", "")
    status = status if status in STATUSES else ""
    deliveries = found.deliveries.order_by("-id")
    if status:
        deliveries = deliveries.filter(status=status)
    if before := _uuid(request.GET.get("before", "")):
        deliveries = deliveries.filter(id__lt=before)
    rows = list(deliveries[: PAGE + 1])
    context = {
        "webhook": found,
        "deliveries": rows[:PAGE],
        "older": rows[PAGE - 1].id if len(rows) > PAGE else None,
        "status": status,
        "condition": "" if found.filter is None else json.dumps(found.filter, ensure_ascii=False),
    }
    return render(request, "webhooks/webhook.html", context)


@never_cache
@require_safe
@with_principal
def delivery(request: PrincipalRequest, delivery_id: uuid.UUID) -> HttpResponse:
    """What is sent, and each attempt."""
    found = actions.find_delivery(request.principal, delivery_id)
    return render(request, "webhooks/delivery.html", {"delivery": found, "attempts": found.log.all()})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_principal
def add_webhook(request: PrincipalRequest) -> HttpResponse:
    """The form, or the new webhook's secret, this once."""
    request.principal.require(actions.MANAGE)
    form = WebhookForm(data=request.POST or None)
    if form.is_valid():
        try:
            return _secret(request, actions.add_webhook(request.principal, **form.cleaned_data), 201)
        except Invalid as refusal:
            form.complain(refusal)
        except TooManyWebhooks as refusal:
            form.add_error(None, refusal.detail)
    return _form(request, form, None)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_principal
def edit_webhook(request: PrincipalRequest, webhook_id: uuid.UUID) -> HttpResponse:
    found = actions.find_webhook(request.principal, webhook_id)
    form = WebhookForm(found, request.POST or None)
    if form.is_valid():
        try:
            actions.change_webhook(request.principal, webhook_id, **form.cleaned_data)
            return redirect("webhook", webhook_id)
        except Invalid as refusal:
            form.complain(refusal)
    return _form(request, form, found)


@require_POST
@with_principal
def remove_webhook(request: PrincipalRequest, webhook_id: uuid.UUID) -> HttpResponse:
    actions.remove_webhook(request.principal, webhook_id)
    return redirect("webhooks")


@require_POST
@with_principal
def challenge_webhook(request: PrincipalRequest, webhook_id: uuid.UUID) -> HttpResponse:
    actions.challenge_webhook(request.principal, webhook_id)
    messages.info(request, _("The challenge is on its way."))
    return redirect("webhook", webhook_id)


@require_POST
@with_principal
def disable_webhook(request: PrincipalRequest, webhook_id: uuid.UUID) -> HttpResponse:
    actions.disable_webhook(request.principal, webhook_id)
    return redirect("webhook", webhook_id)


@never_cache
@require_POST
@with_principal
def rotate_secret(request: PrincipalRequest, webhook_id: uuid.UUID) -> HttpResponse:
    return _secret(request, actions.rotate_secret(request.principal, webhook_id), 200)


@require_POST
@with_principal
def redeliver_all(request: PrincipalRequest, webhook_id: uuid.UUID) -> HttpResponse:
    try:
        count = actions.redeliver_all(request.principal, webhook_id)
        words = ngettext("%d is sent again.", "%d are sent again.", count)
        messages.info(request, words % count)
    except WebhookInactive as refusal:
        messages.error(request, refusal.detail)
    return redirect("webhook", webhook_id)


@require_POST
@with_principal
def redeliver(request: PrincipalRequest, delivery_id: uuid.UUID) -> HttpResponse:
    try:
        actions.redeliver(request.principal, delivery_id)
        messages.info(request, _("It is sent again."))
    except WebhookInactive as refusal:
        messages.error(request, refusal.detail)
    return redirect("webhook_delivery", delivery_id)


def _form(request: PrincipalRequest, form: WebhookForm, webhook: Webhook | None) -> HttpResponse:
    context = {"form": form, "webhook": webhook}
    return render(request, "webhooks/form.html", context, status=422 if form.errors else 200)


def _secret(request: PrincipalRequest, webhook: Webhook, status: int) -> HttpResponse:
    return render(request, "webhooks/secret.html", {"webhook": webhook}, status=status)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
