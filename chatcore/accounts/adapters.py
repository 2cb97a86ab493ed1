"""What allauth asks of us: who may sign up, and what a new account begins with."""

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest

from chatcore.accounts.actions import open_personal_workspace
from chatcore.accounts.models import User
from chatcore.security import limits


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return bool(settings.SIGN_UP == "open")

    def get_client_ip(self, request: HttpRequest) -> str:
        """Allauth counts tries by it: the same address that keys are held to."""
        return limits.address_of(request) or str(super().get_client_ip(request))

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        with transaction.atomic():
            user = super().save_user(request, user, form, commit)
            if commit:
                open_personal_workspace(user)
        return user
