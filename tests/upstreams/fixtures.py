"""The fake upstream as a fixture."""

from collections.abc import Iterator

import pytest

from tests.upstreams.server import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A fake model provider on a free loopback port: `upstream.url`, `.plan(model, …)`, `.requests`."""
    server = Upstream()
    server.start()
    yield server
    server.stop()
