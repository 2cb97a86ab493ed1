"""Every adapter this installation knows: our own, and those of installed packages."""

import functools
from collections.abc import Mapping

from chatcore.plugins import installed
from external.adapters.adapter import Adapter
from external.adapters.generic import GenericAdapter
from external.adapters.slack import SlackAdapter
from external.adapters.twilio import TwilioAdapter

ENTRY_POINTS = "chatcore.adapters"
OURS: Mapping[str, type[Adapter]] = {
    "twilio": TwilioAdapter,
    "slack": SlackAdapter,
    "generic": GenericAdapter,
}


def adapters() -> dict[str, type[Adapter]]:
    """Adapter classes by the name a Source row calls them, which is also in its address."""
    return {**OURS, **_installed()}


@functools.cache
def _installed() -> dict[str, type[Adapter]]:
    return installed(ENTRY_POINTS, "adapters", OURS)
