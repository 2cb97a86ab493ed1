"""Asks providers which models they have, from code that has no event loop."""

import asyncio
from collections.abc import Sequence

from chatcore.llm import kinds, litellm_process
from chatcore.llm.errors import ProviderError
from chatcore.llm.providers import ProviderSettings

LONGEST_NAME = 150


def listed_models(settings: ProviderSettings, *, within: float = 60) -> list[str]:
    """The names one provider lists; raises ProviderError, at the latest after `within` seconds."""
    (answer,) = listed_by_all([settings], within=within)
    if isinstance(answer, ProviderError):
        raise answer
    return answer


def listed_by_all(
    all_settings: Sequence[ProviderSettings], *, within: float
) -> list[list[str] | ProviderError]:
    """For each provider, asked at the same time, its names or why there are none."""
    return asyncio.run(_all(all_settings, within))


async def _all(all_settings: Sequence[ProviderSettings], within: float) -> list[list[str] | ProviderError]:
    try:
        return await asyncio.gather(*(_one(settings, within) for settings in all_settings))
    finally:
        await litellm_process.shut_down()


async def _one(settings: ProviderSettings, within: float) -> list[str] | ProviderError:
    try:
        provider = kinds.build(settings)
    except ProviderError as error:
        return error
    try:
        async with asyncio.timeout(within):
            return _sane(await provider.models())
    except TimeoutError:
        return ProviderError("timeout", f"no list of models within {within:g} s")
    except ProviderError as error:
        return error
    finally:
        await provider.close()


def _sane(names: list[str]) -> list[str]:
    """Each once, and none that a row could not hold."""
    return [name for name in dict.fromkeys(names) if name.isprintable() and 0 < len(name) <= LONGEST_NAME]
