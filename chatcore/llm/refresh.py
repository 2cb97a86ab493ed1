"""Brings the registry up to what a provider lists now. Nothing is deleted, and nothing a person entered is changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models.functions import Now

from chatcore.llm import listing, model_facts
from chatcore.llm.actions import add_models, fill_unknown
from chatcore.llm.catalogue import OTHER_USES
from chatcore.llm.models import Model, Provider

LIST_TIMEOUT = 40.0
MOST_ADDED = 50


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Names as the provider uses them. `offered`: new ones that were too many to be taken unasked."""

    added: Sequence[str] = ()
    offered: Sequence[str] = ()
    vanished: Sequence[str] = ()
    returned: Sequence[str] = ()


def refresh(provider: Provider) -> Refreshed:
    """Ask the provider for its models and follow. Raises ProviderError, Unreadable. Not in a transaction."""
    return follow_list(provider, listing.listed_models(provider.settings(), within=LIST_TIMEOUT))


@transaction.atomic
def follow_list(provider: Provider, listed: Sequence[str]) -> Refreshed:
    """Add what is new, mark what is gone, unmark what is back, and fill in what was unknown.

    What is gone stays enabled: lists leave out names that work, such as aliases. An empty list says nothing.
    """
    if not listed:
        return Refreshed()
    deployments = list(provider.deployments.select_for_update().select_related("model"))
    present = {each.upstream_name: each for each in deployments}
    new = [name for name in listed if name not in present and not OTHER_USES.search(name)]
    wanted = [model_facts.known_model(name) for name in new]
    settings = replace(provider.settings(), credential="")
    described = model_facts.described(settings, wanted)
    taken = described if len(described) <= MOST_ADDED else []
    add_models(provider, taken)
    gone = [each for name, each in present.items() if name not in listed and each.vanished_at is None]
    back = [each for name, each in present.items() if name in listed and each.vanished_at is not None]
    provider.deployments.filter(pk__in=[each.pk for each in gone]).update(vanished_at=Now())
    provider.deployments.filter(pk__in=[each.pk for each in back]).update(vanished_at=None)
    names = [model_facts.known_model(name) for name in present]
    models: dict[str, Model] = {name: each.model for name, each in present.items()}
    for known in model_facts.described(settings, names):
        fill_unknown(models[known.upstream_name], known)
    return Refreshed(
        added=[each.upstream_name for each in taken],
        offered=[] if taken else [each.upstream_name for each in described],
        vanished=[each.upstream_name for each in gone],
        returned=[each.upstream_name for each in back],
    )
