"""Every kind of provider this installation knows: our own, and those of installed packages."""

import functools
from collections.abc import Mapping

from django.conf import settings

from chatcore import env
from chatcore.llm.demo import DemoProvider
from chatcore.llm.errors import ProviderError
from chatcore.llm.native import NativeProvider
from chatcore.llm.own_addresses import own_address_problem
from chatcore.llm.providers import Provider, ProviderSettings
from chatcore.llm.scripted import ScriptedProvider
from chatcore.llm.via_litellm import LitellmProvider
from chatcore.plugins import installed

ENTRY_POINTS = "chatcore.providers"
OURS: Mapping[str, type[Provider]] = {
    "openai": NativeProvider,
    "litellm": LitellmProvider,
    "demo": DemoProvider,
}


def kinds() -> dict[str, type[Provider]]:
    """Provider classes by the name a Provider row calls them."""
    scripted = {"scripted": ScriptedProvider} if scripted_allowed() else {}
    return {**OURS, **_installed(), **scripted}


def scripted_allowed() -> bool:
    """Scripts may make files: a provider for tests and development only."""
    return settings.DEBUG or env.flag("SCRIPTED_PROVIDER")


def build(chosen: ProviderSettings) -> Provider:
    """A provider for the running event loop. That it cannot be built is a ProviderError like any other."""
    provider_class = kinds().get(chosen.kind)
    if provider_class is None:
        raise ProviderError("unavailable", f"no provider is called {chosen.kind!r}", retryable=False)
    problem = own_address_problem(chosen.base_url) if chosen.guarded and chosen.base_url else ""
    if problem:
        raise ProviderError("address_refused", problem)
    try:
        return provider_class(chosen)
    except (AttributeError, TypeError, ValueError) as error:
        raise ProviderError("unavailable", f"its options cannot be used: {error}", retryable=False) from error


@functools.cache
def _installed() -> dict[str, type[Provider]]:
    return installed(ENTRY_POINTS, "providers", {*OURS, "scripted"})
