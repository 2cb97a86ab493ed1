"""Asks providers which models they have, from code that has no event loop."""

import asyncio
from collections.abc import Sequence

from chatcore.llm import kinds, litellm_process
from chatcore.llm.errors import ProviderError
from chatcore.llm.providers import ProviderSettings

LONGEST_NAME = 150
# What whoever looks after a provider reads when it did not list its models.
WORDS = {
    "auth": "It refused the key. Type the right one; if it is right, see whether the account has credit.",
    "not_found": "There is no list of models at this address. Mostly it has to end in /v1, or in what else the service "
    "says. If the service has no list, type the names of its models.",
    "address_refused": "Its address leads to where this server calls nothing for a workspace. Ask the staff of this "
    "server to add the provider for all workspaces, or to let it through by OUTBOUND_ALLOW.",
    "unavailable": "It cannot be reached. Check the address, and whether the server there runs and lets this one in.",
    "timeout": "It did not answer in time. Check the address, and whether the server there is well; then ask again.",
    "garbage": "What it answered is no list of models, perhaps a web page. Check the address: mostly it ends in /v1.",
    "rate_limited": "It takes no more requests just now. Wait a moment, then ask again.",
    "overloaded": "It is overloaded. Wait a moment, then ask again.",
    "bad_request": "It refused to list them. Check the options; or type the names of its models.",
}


def listed_models(settings: ProviderSettings, *, within: float = 60) -> list[str]:
    """The names one provider lists; raises ProviderError, at the latest after `within` seconds."""
    (answer,) = listed_by_all([settings], within=within)
    if isinstance(answer, ProviderError):
        raise answer
    return answer


def words_of(error: ProviderError) -> str:
    """What went wrong with a list and what to do, for whoever looks after the provider."""
    return WORDS.get(error.code, error.words)


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
