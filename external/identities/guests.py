"""Guests: users that outside systems bring along. They cannot sign in; a person's own account can take over later."""

from django.db import IntegrityError, transaction
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils import timezone

from chatcore.accounts.models import Membership, User
from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7
from external.models.identities import Identity

DOMAIN = "guests.invalid"  # RFC 2606: no mail can ever reach it, so nobody resets a password there


def is_of_member(principal: Principal, channel: str, value: str) -> bool:
    """Whether a member signs in with this very address: a guest of it would be that person a second time."""
    if channel != "email":
        return False
    members = Membership.objects.filter(workspace=principal.workspace)
    return members.filter(Exact(Lower("user__email"), value)).exists()


def provision(principal: Principal, channel: str, value: str) -> tuple[User, bool]:
    """The guest of this handle, and whether it is new. Of two that make it at once, one does.

    The handle is verified from the start: the integration says from whom it had the message.
    """
    try:
        with transaction.atomic():
            return _make(principal, channel, value), True
    except IntegrityError:
        known = Identity.objects.for_principal(principal).verified().select_related("user")
        return known.get(channel=channel, value=value).user, False


def _make(principal: Principal, channel: str, value: str) -> User:
    user = User.objects.create_user(f"{uuid7().hex}@{DOMAIN}", name=value[:150])
    Membership.objects.create(user=user, workspace=principal.workspace, role=Membership.Role.GUEST)
    Identity.objects.create(
        workspace=principal.workspace,
        user=user,
        channel=channel,
        value=value,
        verified_at=timezone.now(),
        verified_by=principal.author,
    )
    return user
