"""Writes to the registry of models."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from chatcore.llm.catalogue import KnownModel
from chatcore.llm.models import Deployment, Model, Provider


@transaction.atomic
def add_models(provider: Provider, known: Iterable[KnownModel]) -> list[Model]:
    """A deployment at `provider` for each, of a model that is made where its name is new. Repeats change nothing.

    A model that other providers have too gets one more deployment, and with it a way to answer when they fail.
    """
    models = []
    for each in known:
        model, _ = Model.objects.get_or_create(
            workspace=provider.workspace, name=each.name, defaults=_described(each)
        )
        Deployment.objects.get_or_create(model=model, provider=provider, upstream_name=each.upstream_name)
        models.append(model)
    return models


@transaction.atomic
def make_default(model: Model) -> None:
    """`model` answers where nothing is chosen: in its workspace, or in all that have no default of their own."""
    Model.objects.filter(workspace=model.workspace_id, is_default=True).update(is_default=False)
    Model.objects.filter(pk=model.pk).update(is_default=True)
    model.is_default = True


def fill_unknown(model: Model, known: KnownModel) -> None:
    """Sizes and prices nobody has entered; what is there stays. Prices that are the list's get its tiers too."""
    facts: dict[str, Any] = {
        "context_window": known.context_window,
        "max_output": known.max_output,
        "prices": known.prices,
    }
    news = {name: fact for name, fact in facts.items() if fact and getattr(model, name) is None}
    listed = dict(known.prices or {})
    if listed.pop("above", None) and model.prices == listed:
        news["prices"] = known.prices
    if news:
        Model.objects.filter(pk=model.pk).update(**news)


def _described(known: KnownModel) -> dict[str, object]:
    supported = known.supports.split()
    return {
        "label": known.label,
        "context_window": known.context_window,
        "max_output": known.max_output,
        "prices": dict(known.prices) if known.prices else None,
        **{
            f"supports_{ability}": ability in supported
            for ability in ("vision", "tools", "reasoning", "json")
        },
    }
