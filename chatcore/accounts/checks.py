"""System checks of the sign-in settings."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

SIGN_UP_CHOICES = ("open", "closed")
PEPPER_BYTES = 32


@register
def sign_up_is_known(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    if settings.SIGN_UP in SIGN_UP_CHOICES:
        return []
    problem = f"SIGN_UP={settings.SIGN_UP!r} is not one of {', '.join(SIGN_UP_CHOICES)}."
    hint = "Set SIGN_UP=closed and add people with `manage.py bootstrap` or at /admin/, or SIGN_UP=open."
    return [Error(problem, hint=hint, id="accounts.E001")]


@register
def peppers_are_strong(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    weak = [version for version, pepper in settings.KEY_PEPPERS.items() if not _is_strong(pepper)]
    if settings.KEY_PEPPERS and not weak:
        return []
    problem = f"KEY_PEPPERS needs hexadecimal texts of at least {PEPPER_BYTES} bytes; these are not: {weak}."
    hint = "Make one with `python -c 'import secrets; print(secrets.token_hex(32))'`."
    return [Error(problem, hint=hint, id="accounts.E002")]


def _is_strong(pepper: str) -> bool:
    try:
        return len(bytes.fromhex(pepper)) >= PEPPER_BYTES
    except ValueError:
        return False
