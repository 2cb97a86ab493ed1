"""Writes of integrations and their keys. All of them need `integrations:manage`."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.integrations import reach
from chatcore.accounts.integrations.amounts import UNITS, amounts_of, keep_amounts
from chatcore.accounts.models import Integration, Key
from chatcore.accounts.principals import Principal
from chatcore.accounts.roles import ROLES
from chatcore.errors import FieldProblem, NotFound
from chatcore.problems import invalid, pointer_to

MANAGE = "integrations:manage"
MINE = object()  # acts_as: whoever makes the integration


def find_integration(principal: Principal, integration_id: uuid.UUID) -> Integration:
    principal.require(MANAGE)
    found = Integration.objects.filter(workspace=principal.workspace, pk=integration_id).first()
    if found is None:
        raise NotFound
    return found


def find_key(principal: Principal, integration_id: uuid.UUID, key_id: uuid.UUID) -> Key:
    integration = find_integration(principal, integration_id)
    found = integration.keys.filter(pk=key_id).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def create_integration(
    principal: Principal,
    *,
    name: str,
    role: str = "",
    acts_as: Any = MINE,
    grants: list[str] | None = None,
    constraints: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Integration:
    """A new integration with the grants of the role and those that are named, without a key yet.

    It acts for its maker unless `acts_as` is None. Raises Invalid, BeyondReach.
    """
    principal.require(MANAGE)
    integration = Integration(workspace=principal.workspace, name=name, **fields)
    integration.acts_as = principal.user if acts_as is MINE else None
    if acts_as is not MINE:
        reach.require_acting_user(principal, acts_as)
        integration.acts_as = principal.user if acts_as else None
    integration.grants = sorted({*(grants or ()), *ROLES.get(role, ())})
    return _save(principal, integration, constraints or {})


@transaction.atomic
def change_integration(
    principal: Principal,
    integration_id: uuid.UUID,
    *,
    constraints: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Integration:
    """Change what is named; `constraints` as a whole. At work in every process within seconds."""
    find_integration(principal, integration_id)
    integration = Integration.objects.select_for_update(no_key=True).get(pk=integration_id)
    acts_as = changes.pop("acts_as", integration.acts_as_id)
    if acts_as != integration.acts_as_id:
        reach.require_acting_user(principal, acts_as)
        integration.acts_as = principal.user if acts_as else None
    for name, value in changes.items():
        setattr(integration, name, value)
    wanted = constraints_of(integration) if constraints is None else constraints
    return _save(principal, integration, wanted)


@transaction.atomic
def remove_integration(principal: Principal, integration_id: uuid.UUID) -> None:
    """With its keys. What it wrote stays, and says no more who wrote it."""
    find_integration(principal, integration_id).delete()


@transaction.atomic
def add_key(
    principal: Principal, integration_id: uuid.UUID, *, expires_at: datetime | None = None
) -> tuple[Key, str]:
    """A key and its text, which is shown this once. Raises TooManyKeys, BeyondReach, ActsForAnother."""
    integration = in_reach(principal, integration_id)
    if expires_at is not None and expires_at <= timezone.now():
        raise invalid([FieldProblem("/expires_at", "must lie in the future")])
    return keys.mint(integration, expires_at)


@transaction.atomic
def rotate_key(
    principal: Principal, integration_id: uuid.UUID, *, overlap: timedelta = keys.OVERLAP
) -> tuple[Key, str]:
    """A new key; the newest before it lives on for `overlap` at most, an older one ends now."""
    return keys.rotate(in_reach(principal, integration_id), overlap)


@transaction.atomic
def revoke_key(principal: Principal, integration_id: uuid.UUID, key_id: uuid.UUID) -> None:
    """It opens nothing from now on; connections it holds open are closed within seconds."""
    keys.revoke(find_key(principal, integration_id, key_id))


def constraints_of(integration: Integration) -> dict[str, Any]:
    """All that it is held to, the amounts of a day with the others."""
    return {**integration.constraints, **amounts_of([integration])[integration.pk]}


def _save(principal: Principal, integration: Integration, constraints: Mapping[str, Any]) -> Integration:
    constraints = {name: value for name, value in constraints.items() if value is not None}
    integration.constraints = {name: value for name, value in constraints.items() if name not in UNITS}
    try:
        integration.full_clean()
    except ValidationError as error:
        raise invalid(_problems(error)) from None
    reach.require_grants(principal, integration.grants)
    reach.require_addresses(principal, integration.allowed_addresses)
    reach.require_constraints(principal, constraints, _own_amounts(principal))
    integration.save()
    keep_amounts(integration, constraints)
    return integration


def in_reach(principal: Principal, integration_id: uuid.UUID) -> Integration:
    """Whoever makes a key can use it: so it must not open more than what they have."""
    integration = find_integration(principal, integration_id)
    reach.require_keys(principal, integration.acts_as_id)
    reach.require_grants(principal, integration.grants)
    reach.require_addresses(principal, integration.allowed_addresses)
    reach.require_constraints(principal, constraints_of(integration), _own_amounts(principal))
    return integration


def _own_amounts(principal: Principal) -> Mapping[str, Any]:
    own = principal.integration
    return amounts_of([own])[own.pk] if own else {}


def _problems(error: ValidationError) -> Iterator[FieldProblem]:
    for name, found in error.message_dict.items():
        if name == NON_FIELD_ERRORS:
            yield FieldProblem("/name", "There is an integration of this name already.", "taken")
        else:
            yield from (FieldProblem(pointer_to(name), words) for words in found)
