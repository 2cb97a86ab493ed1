"""One-time sign-in links, for somebody who has no password yet: the owner of a new installation."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.http import base36_to_int

from chatcore.accounts.models import User

LIFE = timedelta(hours=24)


class _LinkTokens(PasswordResetTokenGenerator):
    """Signs what a sign-in or a new password changes. Django's own form cuts last_login to the second, within
    which a link could be used twice."""

    key_salt = "chatcore.accounts.links"

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        last_login = user.last_login.isoformat() if user.last_login else "never"
        return f"{user.pk}|{user.password}|{last_login}|{user.get_username()}|{timestamp}"

    def check_token(self, user: User | None, token: str | None) -> bool:
        return super().check_token(user, token) and self._age(token or "") <= LIFE

    def _age(self, token: str) -> timedelta:
        made = base36_to_int(token.partition("-")[0])
        return timedelta(seconds=self._num_seconds(self._now()) - made)

    def _now(self) -> datetime:
        return timezone.now().replace(tzinfo=None)


_tokens = _LinkTokens()


def sign_in_link(user: User) -> str:
    """The absolute address of a page that signs this user in, once, within a day."""
    return f"{settings.PUBLIC_URL}{reverse('welcome', args=[user.pk, _tokens.make_token(user)])}"


def user_of_link(user_id: uuid.UUID, token: str) -> User | None:
    """Whom the link would sign in; None where it is spent, too old or forged. Spends nothing."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user if _tokens.check_token(user, token) else None


def spend_link(user_id: uuid.UUID, token: str) -> User | None:
    """As user_of_link, and the link is spent: of several at once, one gets the user.

    Inside the caller's transaction. The time of sign-in is written here, which changes what tokens sign.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=user_id, is_active=True).first()
        if user is None or not _tokens.check_token(user, token):
            return None
        user.last_login = timezone.now()
        user.save(update_fields=["last_login"])
        return user
