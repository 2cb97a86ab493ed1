"""One browser, and who is signed in changes: nobody sees or sends what another person left in it."""

from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.acting import chat, composer, expect_done, last, messages, send, until
from tests.browser.conftest import Complaints, FRAME_IS_KEPT, sign_in
from tests.running import Chatcore, database

BO = "bo@example.com"


@pytest.fixture(scope="session")
def bo(chatcore: Chatcore) -> str:
    """The address of somebody else in the workspace."""
    chatcore.manage("shell", "--no-imports", "-c", MAKE_BO)
    return BO


@pytest.fixture
def shared(browser: Browser, chatcore: Chatcore, complaints: Complaints) -> Iterator[BrowserContext]:
    """A browser that several people use."""
    context = browser.new_context(base_url=chatcore.url)
    complaints.watch(context)
    yield context
    context.close()
