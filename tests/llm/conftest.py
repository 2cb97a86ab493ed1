"""Fixtures of the tests of models and providers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from chatcore.llm import instances, line, litellm_process
from chatcore.llm.native import NativeProvider
from chatcore.llm.providers import ProviderSettings
from tests.llm.asking import KEY, Open
from tests.llm.routes import asked, dead, second
from tests.upstreams.fixtures import upstream
from tests.upstreams.server import Upstream

__all__ = ["asked", "closing", "dead", "litellm", "opened", "second", "upstream"]


@pytest_asyncio.fixture
async def closing() -> AsyncIterator[None]:
    """Closes the providers a test left open in its event loop, and gives back what it held of limits."""
    yield
    await line.close()
    await instances.close_all()


@pytest_asyncio.fixture
async def opened(upstream: Upstream) -> AsyncIterator[Open]:
    """Makes providers that are closed after the test; without address they reach the fake upstream."""
    providers: list[NativeProvider] = []

    def make(base_url: str = f"{upstream.url}/v1", credential: str = KEY, **options: Any) -> NativeProvider:
        providers.append(NativeProvider(ProviderSettings("openai", base_url, credential, options)))
        return providers[-1]

    yield make
    for provider in providers:
        await provider.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def litellm() -> AsyncIterator[None]:
    """LiteLLM's process, started once for all tests that run in the session's event loop."""
    await litellm_process.shared().wait_until_ready()
    yield
    await litellm_process.shut_down()
