"""What is new: a dot in every tab, until it is read in one."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.acting import chat, expect_done, last
from tests.browser.conftest import OpenPage
from tests.running import Chatcore


@pytest.fixture
def client(chatcore: Chatcore) -> Iterator[httpx.Client]:
    with chatcore.client() as client:
        yield client


def ask(client: httpx.Client, url: str, text: str) -> None:
    """The owner asks elsewhere, and the answer is there."""
    conversation = url.rstrip("/").rpartition("/")[2]
    answer = client.post(
        f"/api/v1/conversations/{conversation}/replies", json={"content": text}, headers={"Prefer": "wait=20"}
    )
    assert answer.status_code in (200, 202), answer.text


def row_of(page: Page, url: str) -> Locator:
    conversation = url.rstrip("/").rpartition("/")[2]
    return page.locator(f'#list [data-row="{conversation}"]')


def test_an_answer_elsewhere_is_unread_in_every_tab_until_one_shows_it(
    open_page: OpenPage, client: httpx.Client
) -> None:
    page = open_page()
    url = chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")
    page.goto("/")
    other = page.context.new_page()
    other.goto("/archived/")
    for tab in (page, other):
        expect(row_of(tab, url)).to_have_attribute("data-unread", "0")

    ask(client, url, "Anything new?")
    for tab in (page, other):
        expect(row_of(tab, url).locator(".row-unread")).to_be_visible()
    page.goto(url)
    expect(last(page)).to_contain_text("Anything new?")

    expect(row_of(other, url)).to_have_attribute("data-unread", "0")
    expect(row_of(other, url).locator(".row-unread")).to_be_hidden()
    page.goto("/")
    expect(row_of(page, url)).to_have_attribute("data-unread", "0")


def test_an_answer_that_is_watched_is_read(open_page: OpenPage) -> None:
    page = open_page()
    url = chat(page, "Hello", "Echo")
    other = page.context.new_page()
    other.goto("/")

    expect_done(page, "You said: Hello")
    expect(row_of(other, url)).to_have_attribute("data-unread", "0")
    page.goto("/")

    expect(row_of(page, url)).to_have_attribute("data-unread", "0")
