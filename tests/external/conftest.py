"""Fixtures of the tests of external messages."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.external.receivers import Receiver, receiving


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """An HTTP server on loopback, which may be called."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]
    with receiving() as found:
        yield found
