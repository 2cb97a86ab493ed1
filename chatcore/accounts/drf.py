"""Principals at the doors made with REST framework. Its settings name these classes: import no views here."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chatcore.accounts.csrf import refuse_forged
from chatcore.accounts.doors import admit
from chatcore.accounts.models import User
from chatcore.accounts.principals import Principal
from chatcore.errors import Unauthenticated


class PrincipalAuthentication(BaseAuthentication):
    """`request.auth` is the principal, `request.user` its user (anonymous for a key that acts for nobody)."""

    def authenticate(self, request: Request) -> tuple[User | AnonymousUser, Principal] | None:
        django_request = request._request
        principal = admit(django_request)
        if principal is None:
            return None
        if principal.credential == "session":
            refuse_forged(django_request)
        return principal.user or AnonymousUser(), principal

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return "Bearer"


class HasPrincipal(BasePermission):
    """Lets in whoever was identified; what they may do there the action decides."""

    def has_permission(self, request: Request, view: Any) -> bool:  # noqa: ARG002
        if not isinstance(request.auth, Principal):
            raise Unauthenticated
        return True
