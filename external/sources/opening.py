"""A source with its adapter, ready to be used."""

import uuid
from collections.abc import Collection, Iterable

from chatcore.security.fields import Unreadable
from external.adapters.adapter import Adapter, Setup
from external.adapters.registry import adapters
from external.models import Source


def find_open(source_id: uuid.UUID, adapter: str) -> Source | None:
    """The source at that address, if it, its integration and its adapter are at work. Raises Unreadable."""
    if adapter not in adapters():
        return None
    open_ones = Source.objects.filter(enabled=True, integration__enabled=True)
    return (
        open_ones.select_related("integration__workspace", "integration__acts_as")
        .filter(id=source_id, adapter=adapter)
        .first()
    )


def having_open(integrations: Collection[uuid.UUID]) -> Iterable[uuid.UUID]:
    """Which of these integrations a service can post to without one of their keys."""
    rows = Source.objects.filter(enabled=True, integration__enabled=True, integration__in=integrations)
    keyless = rows.filter(adapter__in=adapters()).exclude(
        adapter="generic", settings__contains={"proof": "key"}
    )
    return keyless.values_list("integration_id", flat=True)


def adapter_of(source: Source) -> Adapter:
    """Raises KeyError where the package with its adapter is no longer installed."""
    return adapters()[source.adapter](setup_of(source))


def setup_of(source: Source) -> Setup:
    return Setup(source.address, source.integration_id, source.secrets, source.settings)


def secret_names(source: Source) -> list[str]:
    """Which secrets are stored; none where they cannot be decrypted."""
    try:
        return sorted(Source.objects.only("sealed").get(pk=source.pk).secrets)
    except Unreadable:
        return []
