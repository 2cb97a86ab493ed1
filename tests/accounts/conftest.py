import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _own_addresses(settings):
    settings.ROOT_URLCONF = "tests.accounts.urls"


@pytest.fixture(autouse=True)
def _no_attempts_counted_yet():
    """Allauth counts sign-ins per address in the cache."""
    cache.clear()
