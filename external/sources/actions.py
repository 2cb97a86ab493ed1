"""Sources as the people of a workspace keep them. Secrets go in and never come out again."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from chatcore.accounts.integrations.actions import in_reach
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.errors import Conflict, FieldProblem, NotFound
from chatcore.problems import invalid, pointer_to
from chatcore.security.fields import Unreadable
from chatcore.texts import checked_object, checked_text, refused
from external.adapters.registry import adapters
from external.models import Source
from external.sources.opening import adapter_of

MANAGE = "integrations:manage"
MOST = 20  # of one integration
MOST_LETTERS = 100  # of a name
MOST_SETTINGS = 200


class TooManySources(Conflict):
    """An integration has at most twenty sources. Remove one first."""

    code = "too_many_sources"
    remedy = "Delete a source that is not needed any more, or add this one to another integration."


def sources_of(principal: Principal) -> "QuerySet[Source]":
    """The workspace's, without their secrets."""
    principal.require(MANAGE)
    return Source.objects.filter(integration__workspace=principal.workspace).defer("sealed")


def find_source(principal: Principal, source_id: uuid.UUID) -> Source:
    found = sources_of(principal).filter(id=source_id).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def add_source(principal: Principal, *, integration: uuid.UUID, adapter: str, **fields: Any) -> Source:
    """Raises Invalid, which points at each field that cannot be, and Conflict for a name taken.

    Who sets a source's secret can write as its integration: raises also what making a key of it would.
    """
    principal.require(MANAGE)
    rows = Integration.objects.filter(workspace=principal.workspace, id=integration).select_for_update()
    if rows.first() is None:
        raise refused("/integration", "must be the id of an integration of this workspace", "unknown")
    owner = in_reach(principal, integration)
    if adapter not in adapters():
        raise refused("/adapter", f"must be one of {', '.join(adapters())}", "unknown")
    if Source.objects.filter(integration=owner).count() >= MOST:
        raise TooManySources
    source = Source(integration=owner, adapter=adapter)
    _write(source, fields)
    return source


@transaction.atomic
def change_source(principal: Principal, source_id: uuid.UUID, **fields: Any) -> Source:
    source = find_source(principal, source_id)
    in_reach(principal, source.integration_id)
    _write(source, fields)
    return source


def remove_source(principal: Principal, source_id: uuid.UUID) -> None:
    """With its log. The messages that came through it stay."""
    find_source(principal, source_id).delete()


def _write(source: Source, fields: Mapping[str, Any]) -> None:
    if "name" in fields:
        source.name = checked_text(fields["name"], "/name", limit=MOST_LETTERS)
    source.enabled = fields.get("enabled", source.enabled)
    settings = fields.get("settings", source.settings)
    prepare(source, source.adapter, settings, fields.get("secrets") or {})
    try:
        with transaction.atomic():
            source.save()
    except IntegrityError:
        detail = "The integration has a source of that name already."
        raise Conflict(detail, errors=[FieldProblem("/name", detail, "taken")]) from None


def prepare(
    source: Source, adapter: str, settings: Mapping[str, Any], new_secrets: Mapping[str, str]
) -> None:
    """Set what its adapter goes by; secrets that are not named stay. Raises Invalid, pointing at what cannot be."""
    if adapter not in adapters():
        raise refused("/adapter", "its package is not installed", "unknown")
    for name, value in new_secrets.items():
        checked_text(value, pointer_to("secrets", name), limit=10_000, required=False)
    _check_move(source, settings, new_secrets)
    source.adapter = adapter
    source.settings = checked_object(dict(settings), "/settings", most_keys=MOST_SETTINGS, depth=6)
    known = adapters()[adapter].SECRETS
    kept = {name: value for name, value in _stored(source).items() if name in known}
    source.secrets = {**kept, **new_secrets}
    if found := adapter_of(source).problems():
        raise invalid(found)


def _check_move(source: Source, settings: Mapping[str, Any], new_secrets: Mapping[str, str]) -> None:
    """What was entered for one address is never sent to another."""
    moves = settings.get("base_url", "") != source.settings.get("base_url", "")
    if moves and not set(_stored(source)) <= set(new_secrets):
        raise refused("/secrets", "must be given again: the old ones belong to the old address", "required")


def _stored(source: Source) -> dict[str, str]:
    """Those that cannot be decrypted any more are given anew."""
    try:
        return source.secrets
    except Unreadable:
        return {}
