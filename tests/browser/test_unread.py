"""What is new: a dot in every tab, until it is read in one."""

import httpx
from playwright.sync_api import expect

from tests.browser.acting import ask, chat, expect_done, last, row_of
from tests.browser.conftest import OpenPage


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
