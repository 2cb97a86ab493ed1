"""The live providers of this process: one for each Provider row, replaced when the row changes."""

import asyncio
import uuid
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from chatcore.llm import kinds, litellm_process
from chatcore.llm.models import Deployment
from chatcore.llm.providers import Provider, ProviderSettings
from chatcore.offload import offload


@dataclass
class Instance:
    """`version` is the row's updated_at; a retired instance closes when its last stream has ended."""

    provider: Provider
    version: datetime
    streams: int = 0
    retired: bool = False


Instances: TypeAlias = dict[uuid.UUID, Instance]
# A provider belongs to the event loop that built it.
_by_loop: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Instances]" = weakref.WeakKeyDictionary()


@asynccontextmanager
async def borrowed(
    provider_id: uuid.UUID, version: datetime, settings: ProviderSettings
) -> AsyncIterator[Provider]:
    """The provider of that row, built at its first use. Raises ProviderError where it cannot be built."""
    instances = _by_loop.setdefault(asyncio.get_running_loop(), {})
    instance = instances.get(provider_id)
    # A request that read the row before the change may come after one that read it since: the newer one stays.
    if instance is None or instance.version < version:
        built = Instance(kinds.build(settings), version)
        instances[provider_id], replaced = built, instance
        instance = built
        if replaced is not None:
            await _retire(replaced)
    instance.streams += 1
    try:
        yield instance.provider
    finally:
        instance.streams -= 1
        if instance.retired:
            await _retire(instance)


async def close_all() -> None:
    """Close every provider of the running event loop, with LiteLLM's process. For the end of the process."""
    instances = _by_loop.pop(asyncio.get_running_loop(), {})
    for instance in instances.values():
        await instance.provider.close()
    await litellm_process.shut_down()


async def prewarm() -> None:
    """Start LiteLLM's processes, and wait until they can answer, as far as enabled deployments need them."""
    for guarded in await offload(_litellm_needed):
        process = litellm_process.guarded() if guarded else litellm_process.shared()
        await process.wait_until_ready()


async def _retire(instance: Instance) -> None:
    instance.retired = True
    if not instance.streams:
        await instance.provider.close()


def _litellm_needed() -> list[bool]:
    """Whether for providers of all workspaces (False), of some workspace (True), or for both."""
    needing = Deployment.objects.usable().filter(provider__kind="litellm")
    return [each for each in (False, True) if needing.filter(provider__workspace__isnull=not each).exists()]
