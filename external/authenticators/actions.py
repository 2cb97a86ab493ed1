"""Writes to authenticators. Their secrets go in and never come out again."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from chatcore.accounts import signals
from chatcore.accounts.integrations.actions import in_reach
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.errors import Conflict, FieldProblem, NotFound
from chatcore.problems import pointer_to
from chatcore.texts import checked_object, checked_text, refused
from external.authenticators.kinds import build, kinds
from external.authenticators.proofs import Given
from external.models import Authenticator, KeySet

MOST = 10  # of one integration
MOST_OPTIONS = 50
MANAGE = "integrations:manage"


class TooManyAuthenticators(Conflict):
    """An integration has at most ten authenticators. Remove one first."""

    code = "too_many_authenticators"
    remedy = "Delete an authenticator that is not needed any more."


def find_authenticator(principal: Principal, authenticator_id: uuid.UUID) -> Authenticator:
    principal.require(MANAGE)
    rows = Authenticator.objects.for_principal(principal).described()
    found: Authenticator | None = rows.filter(pk=authenticator_id).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def add_authenticator(principal: Principal, *, integration: uuid.UUID, **fields: Any) -> Authenticator:
    """Its requests are let in from now on. Raises what making a key of the integration would: BeyondReach and so on."""
    principal.require(MANAGE)
    rows = Integration.objects.filter(workspace=principal.workspace, pk=integration).select_for_update()
    if rows.first() is None:
        raise refused("/integration", "must be the id of an integration of this workspace", "unknown")
    owner = in_reach(principal, integration)
    if Authenticator.objects.filter(integration=owner).count() >= MOST:
        raise TooManyAuthenticators
    authenticator = Authenticator(integration=owner)
    _write(authenticator, fields)
    return find_authenticator(principal, authenticator.pk)


@transaction.atomic
def change_authenticator(principal: Principal, authenticator_id: uuid.UUID, **fields: Any) -> Authenticator:
    authenticator = find_authenticator(principal, authenticator_id)
    in_reach(principal, authenticator.integration_id)
    if fields:
        _write(authenticator, fields)
    return find_authenticator(principal, authenticator_id)


@transaction.atomic
def remove_authenticator(principal: Principal, authenticator_id: uuid.UUID) -> None:
    """What came in through it stays."""
    authenticator = find_authenticator(principal, authenticator_id)
    authenticator.delete()
    signals.announce(integration_id=authenticator.integration_id)


def check_usable(kind: str, given: Given) -> None:
    """Raises Invalid where there is no such kind, or its options or secret cannot be used."""
    if kind not in kinds():
        raise refused("/kind", f"must be one of {', '.join(sorted(kinds()))}", "unknown")
    try:
        build(kind, given)
    except ValueError as error:
        pointer = "/secret" if "secret" in str(error) else "/options"
        raise refused(pointer, f"cannot be used: {str(error).removesuffix('.')}", "unusable") from None


def saved(authenticator: Authenticator, *, moved: bool) -> None:
    """Store one that was checked. Keys that were fetched for other options (`moved`) are forgotten."""
    authenticator.save()
    if moved:
        KeySet.objects.filter(pk=authenticator.pk).delete()
    signals.announce(integration_id=authenticator.integration_id)


def _write(authenticator: Authenticator, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name == "options":
            checked_object(value, "/options", most_keys=MOST_OPTIONS)
        elif isinstance(value, str):
            checked_text(value, pointer_to(name), limit=10_000, required=name != "secret")
        setattr(authenticator, name, value)
    given = Given(authenticator.pk, authenticator.options, authenticator.secret)
    check_usable(authenticator.kind, given)
    try:
        with transaction.atomic():
            saved(authenticator, moved="options" in fields)
    except IntegrityError:
        detail = "There is one of that name already."
        raise Conflict(detail, errors=[FieldProblem("/name", detail, "taken")]) from None
