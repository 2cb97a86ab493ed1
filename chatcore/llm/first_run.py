"""Turns what is found around us (keys in the environment, an Ollama) into providers; else there is the demo."""

import os
from collections.abc import Sequence

from django.db import transaction

from chatcore import env
from chatcore.llm import catalogue, listing, model_facts
from chatcore.llm.actions import add_models, make_default
from chatcore.llm.catalogue import OTHER_USES, KnownModel
from chatcore.llm.environment import OLLAMA, Found, detect, ollama
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import FROM_ENVIRONMENT, Model, Provider
from chatcore.llm.providers import ProviderSettings
from chatcore.security.fields import Unreadable

__all__ = ["detect", "register_environment_providers"]

LIST_TIMEOUT = 2.0
MOST_MODELS = 8
MOST_LOCAL_MODELS = 50


def register_environment_providers() -> list[str]:
    """The names of the providers that are new. For every start: what is there already stays as it is.

    Takes at most LIST_TIMEOUT for asking providers what they have; one that does not answer never stops the
    start. Needs a thread without running event loop. CHATCORE_NO_DETECT leaves the demo only.
    """
    found = [] if env.flag("CHATCORE_NO_DETECT") else [*detect(os.environ), ollama(OLLAMA)]
    new = [each for each in found if not _follow(each)]
    listed = _listed(new)
    registered = []
    first: Model | None = None
    for each in new:
        models = _wanted(each, listed.get(each.name))
        if not models and each.name == "Ollama":
            continue
        added = _register(each, models)
        registered.append(each.name)
        first = first or next(iter(added), None)
    demo = _register(Found("Demo", ProviderSettings("demo")), (catalogue.DEMO_MODEL,))
    _choose_default(first, demo)
    return registered


def _follow(found: Found) -> bool:
    """Whether it is registered, with models. A key that came from the environment follows its variable, as long as the
    provider is where the environment has it.
    """
    row = Provider.objects.filter(workspace=None, name=found.name).first()
    if row is None or not row.deployments.exists():
        return False
    is_there = (row.kind, row.base_url) == (found.settings.kind, found.settings.base_url)
    if is_there and found.variable and row.options.get(FROM_ENVIRONMENT) == found.variable:
        try:
            current = row.credential
        except Unreadable:
            current = ""
        if current != found.settings.credential:
            row.credential = found.settings.credential
            row.save(update_fields=["credential", "updated_at"])
    return True


def _listed(found: Sequence[Found]) -> dict[str, list[str]]:
    asked = [each for each in found if each.lists]
    answers = listing.listed_by_all([each.settings for each in asked], within=LIST_TIMEOUT) if asked else []
    return {
        each.name: answer
        for each, answer in zip(asked, answers, strict=True)
        if not isinstance(answer, ProviderError)
    }


def _wanted(found: Found, listed: list[str] | None) -> Sequence[KnownModel]:
    """The known models it lists, or else the first of those it lists that look as if they could converse."""
    if listed is None:
        return found.models
    conversing = [name for name in listed if not OTHER_USES.search(name)]
    known = {model.upstream_name: model for model in found.models}
    if found.is_local:
        return [known.get(name) or KnownModel(name, name) for name in conversing[:MOST_LOCAL_MODELS]]
    both = [model for model in found.models if model.upstream_name in listed]
    return both or [KnownModel(name, name) for name in conversing[:MOST_MODELS]]


@transaction.atomic
def _register(found: Found, models: Sequence[KnownModel]) -> list[Model]:
    options = dict(found.settings.options)
    if found.variable:
        options[FROM_ENVIRONMENT] = found.variable
    row, made = Provider.objects.get_or_create(
        workspace=None,
        name=found.name,
        defaults={
            "kind": found.settings.kind,
            "base_url": found.settings.base_url,
            "credential": found.settings.credential,
            "options": options,
        },
    )
    models = model_facts.described(found.settings, models)
    return add_models(row, models) if made or not row.deployments.exists() else []


def _choose_default(first: Model | None, demo: Sequence[Model]) -> None:
    """The first real model becomes the default unless a person, or an earlier start, has chosen a real one."""
    current = Model.objects.filter(workspace=None, is_default=True).first()
    if first is not None and (current is None or current.name == catalogue.DEMO_MODEL.name):
        make_default(first)
    elif current is None and demo:
        make_default(demo[0])
