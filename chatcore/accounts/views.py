"""Pages of the accounts: the one-time sign-in link, and choosing the workspace. Allauth has the others."""

import uuid

from allauth.account.utils import perform_login
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from chatcore.accounts import links
from chatcore.accounts.actions import switch_workspace
from chatcore.accounts.web import PrincipalRequest, with_principal


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, user_id: uuid.UUID, token: str) -> HttpResponseBase:
    """The page spends nothing, for mail scanners and previews open links too; its button does."""
    if request.method == "POST":
        return _sign_in(request, user_id, token)
    user = links.user_of_link(user_id, token)
    if user is None:
        raise Http404
    return render(request, "account/welcome.html", {"invited": user})


@require_POST
@with_principal
def workspace(request: PrincipalRequest) -> HttpResponse:
    assert request.principal.user is not None
    switch_workspace(request.session, request.principal.user, request.POST.get("workspace", ""))
    return redirect("/")


def _sign_in(request: HttpRequest, user_id: uuid.UUID, token: str) -> HttpResponseBase:
    with transaction.atomic():
        user = links.spend_link(user_id, token)
        if user is None:
            raise Http404
        answer: HttpResponseBase = perform_login(request, user, email_verification="none", redirect_url="/")
    if not user.has_usable_password():
        messages.info(
            request,
            "This link is spent. Set a password before you sign out: in your menu, at Password and security.",
        )
    return answer
