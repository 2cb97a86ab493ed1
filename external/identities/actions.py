"""Writes of identities: who claims a handle, and whose it is for certain."""

import uuid
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from chatcore.accounts.models import User
from chatcore.accounts.principals import Principal
from chatcore.errors import Conflict, FieldProblem, NotFound
from chatcore.problems import invalid, pointer_to
from external.identities.handles import checked_channel, normalised
from external.models.identities import Identity

WRITE, VERIFY = "identities:write", "identities:verify"


class AlreadyClaimed(Conflict):
    """This user has claimed this handle before."""

    code = "identity_claimed"
    remedy = "Use the identity that is there: list /api/v1/identities/ for its id."


@transaction.atomic
def add_identity(
    principal: Principal, *, user: uuid.UUID, channel: str, value: str, verified: bool = False
) -> Identity:
    """Bind a handle to a member. Verified needs a grant more, and takes the handle from whoever had it."""
    principal.require(WRITE)
    if verified:
        principal.require(VERIFY)
    channel = checked_channel(channel)
    identity = Identity(
        workspace=principal.workspace,
        user=_find_member(principal, user),
        channel=channel,
        value=normalised(channel, value),
    )
    try:
        with transaction.atomic():
            identity.save(force_insert=True)
    except IntegrityError:
        raise AlreadyClaimed from None
    return mark_verified(identity, principal.author) if verified else identity


@transaction.atomic
def change_identity(principal: Principal, identity_id: uuid.UUID, *, verified: bool) -> Identity:
    """Say for certain whose handle it is, or that nobody knows any more."""
    identity = _find(principal, identity_id, VERIFY)
    if verified == identity.is_verified:
        return identity
    if verified:
        return mark_verified(identity, principal.author)
    return _write(identity, verified_at=None, verified_by="")


@transaction.atomic
def remove_identity(principal: Principal, identity_id: uuid.UUID) -> None:
    """Messages from this handle are that user's no more. What was posted stays theirs."""
    _find(principal, identity_id, WRITE).delete()


@transaction.atomic
def mark_verified(identity: Identity, author: str) -> Identity:
    """It is this user's from now on; a number that another one had before is only claimed by that one now."""
    held = Identity.objects.verified().filter(
        workspace=identity.workspace, channel=identity.channel, value=identity.value
    )
    held.exclude(pk=identity.pk).update(verified_at=None, verified_by="")
    return _write(identity, verified_at=timezone.now(), verified_by=author)


def _write(identity: Identity, **values: Any) -> Identity:
    for name, value in values.items():
        setattr(identity, name, value)
    try:
        with transaction.atomic():
            identity.save(update_fields=list(values))
    except IntegrityError:
        raise Conflict("The handle was verified for another user meanwhile.") from None
    return identity


def _find(principal: Principal, identity_id: uuid.UUID, grant: str) -> Identity:
    principal.require(grant)
    found: Identity | None = (
        Identity.objects.for_principal(principal).select_for_update().filter(pk=identity_id).first()
    )
    if found is None:
        raise NotFound
    return found


def _find_member(principal: Principal, user_id: uuid.UUID) -> User:
    found = User.objects.filter(memberships__workspace=principal.workspace, pk=user_id).first()
    if found is None:
        raise invalid([FieldProblem(pointer_to("user"), "There is no such user here.", "unknown")])
    return found
