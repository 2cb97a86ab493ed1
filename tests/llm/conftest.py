"""Fixtures of the tests of models and providers."""

from collections.abc import AsyncIterator

import pytest_asyncio

from chatcore.llm import instances
from tests.upstreams.fixtures import upstream

__all__ = ["closing", "upstream"]


@pytest_asyncio.fixture
async def closing() -> AsyncIterator[None]:
    """Closes the providers a test left open in its event loop."""
    yield
    await instances.close_all()
