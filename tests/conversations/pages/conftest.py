"""Fixtures of the page tests."""

import pytest
from django.test import Client

from chatcore.accounts.principals import Principal
from tests.conversations.pages.browsing import signed_in
from tests.factories import make_model, make_principal


@pytest.fixture
def owner(db: None) -> Principal:
    make_model("swift")
    make_model("deep")
    return make_principal()


@pytest.fixture
def browser(owner: Principal) -> Client:
    """The owner's browser; it knows no scripts unless a test sends HTMX."""
    return signed_in(owner)
