"""Without a network: what was opened stays readable, what is sent waits and goes out once and in order."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.acting import (
    FRAME_IS_KEPT,
    chat,
    composer,
    expect_done,
    last,
    messages,
    row_of,
    send,
    until,
)
from tests.browser.conftest import Complaints, OpenPage, sign_in
from tests.live.talking import start
from tests.running import Chatcore

NETWORK = "ERR_INTERNET_DISCONNECTED"
READ = "(path) => fetch(path, { headers: { 'HX-Request': 'true' } }).then((answer) => answer.text())"
KEPT_PATHS = """async (wanted) => {
  const requests = await (await caches.open('chatcore-pages')).keys();
  const paths = requests.map(({ url }) => new URL(url).pathname).filter((path) => path.startsWith('/c/'));
  return paths.join() === wanted.join();
}"""


def open_kept(open_page: OpenPage, complaints: Complaints, path: str = "/") -> Page:
    """A browser whose service worker is at work."""
    complaints.expect(NETWORK)
    complaints.expect("ERR_FAILED")
    complaints.expect("htmx:")
    page = open_page(path, service_workers="allow")
    until(page, "navigator.serviceWorker.controller !== null")
    until(page, FRAME_IS_KEPT)
    return page


def kept(page: Page) -> None:
    """Until the conversation that is shown can be read offline as it is now."""
    until(
        page,
        """async (text) => {
          const found = await (await caches.open('chatcore-pages')).match(location.pathname);
          return Boolean(found) && (await found.text()).includes(text);
        }""",
        last(page).locator("[data-body]").inner_text(),
    )


def test_messages_wait_over_a_reload_and_go_out_once_and_in_order(
    open_page: OpenPage, complaints: Complaints
) -> None:
    page = open_kept(open_page, complaints)
    chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")
    kept(page)

    page.context.set_offline(True)
    send(page, "First")
    expect(last(page)).to_contain_text("Waits to be sent")
    send(page, "Second")
    expect(page.get_by_text("2 messages wait")).to_be_visible()
    page.reload()
    expect(page.get_by_text("You are offline: this is how it looked at")).to_be_visible()
    expect(messages(page)).to_have_count(4)
    expect(last(page)).to_contain_text("Second")
    expect(page.get_by_text("2 messages wait")).to_be_visible()
    page.context.set_offline(False)

    expect(messages(page)).to_have_count(6, timeout=30_000)
    expect_done(page, "You said: Second")
    expect(page.get_by_text("this is how it looked")).to_be_hidden()
    expect(page.get_by_text("2 messages wait")).to_be_hidden()
    page.reload()
    expect(page.locator(".message.user .bubble-text")).to_have_text(["Hello", "First", "Second"])


def test_what_waits_in_a_tab_that_is_closed_is_sent_by_the_others_in_order(
    open_page: OpenPage, complaints: Complaints, client: httpx.Client
) -> None:
    complaints.expect(NETWORK)
    page = open_page(f"/c/{start(client)}/")
    same, other = page.context.new_page(), page.context.new_page()
    same.goto(page.url)
    other.goto("/archived/")
    url = page.url
    page.context.set_offline(True)
    for tab, text in ((page, "First"), (same, "Second"), (page, "Third")):
        send(tab, text)
        expect(same.locator(".message.waits", has_text=text)).to_be_visible()
    page.close()
    same.close()
    other.context.set_offline(False)

    row = row_of(other, url)
    expect(row).to_have_attribute("data-unread", "3")
    other.goto(url)
    expect(other.locator(".message.user .bubble-text")).to_have_text(["First", "Second", "Third"])
    expect(messages(other)).to_have_count(6)


def test_the_last_twenty_conversations_are_kept(
    open_page: OpenPage, complaints: Complaints, client: httpx.Client
) -> None:
    page = open_kept(open_page, complaints)
    paths = [f"/c/{start(client, title=f'Number {number}')}/" for number in range(21)]
    for path in paths:
        page.evaluate(READ, path)
    until(page, KEPT_PATHS, paths[1:])

    page.context.set_offline(True)
    page.goto(paths[0])
    expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    page.goto(paths[1])
    expect(page.get_by_role("heading", level=1)).to_have_text("Number 1")


def test_a_new_chat_waits_too(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect(NETWORK)
    page = open_page()
    page.context.set_offline(True)

    send(page, "Begin when you can", "Echo")
    expect(messages(page)).to_contain_text("Waits to be sent")
    expect(composer(page)).to_have_value("")
    page.context.set_offline(False)

    expect(page).to_have_url(re.compile("/c/"), timeout=30_000)
    expect_done(page, "You said: Begin when you can")
    expect(messages(page)).to_have_count(2)


def test_what_waits_can_be_taken_back(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect(NETWORK)
    complaints.expect("htmx:")  # the title may just come
    page = open_page()
    chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")
    page.context.set_offline(True)
    for text in ("Not yet", "Not at all"):
        send(page, text)
        expect(last(page)).to_contain_text("Waits to be sent")

    last(page).get_by_role("button", name="Discard").click()
    last(page).get_by_role("button", name="Edit").click()

    expect(composer(page)).to_have_value("Not yet")
    expect(messages(page)).to_have_count(2)
    expect(page.get_by_text("wait and go out")).to_be_hidden()


def test_what_was_not_opened_says_so(open_page: OpenPage, complaints: Complaints) -> None:
    page = open_kept(open_page, complaints)

    page.context.set_offline(True)
    page.goto("/archived/")

    expect(page.get_by_role("heading", name="You are offline")).to_be_visible()


def test_signing_out_leaves_nothing_behind(
    browser: Browser, chatcore: Chatcore, complaints: Complaints
) -> None:
    context = browser.new_context(base_url=chatcore.url)
    complaints.watch(context)
    page = context.new_page()
    sign_in(page, chatcore.url)
    until(page, FRAME_IS_KEPT)

    page.goto("/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/")

    until(page, "caches.has('chatcore-pages').then((is) => !is)")
    context.close()


@pytest.mark.parametrize("way", ["whole", "part"])
def test_a_conversation_opened_either_way_is_readable_offline(
    open_page: OpenPage, complaints: Complaints, way: str
) -> None:
    page = open_kept(open_page, complaints)
    url = chat(page, "Keep this", "Echo")
    expect_done(page, "You said: Keep this")
    kept(page)
    page.get_by_role("link", name="New chat", exact=True).first.click()
    expect(page.locator(".starters")).to_be_visible()
    page.context.set_offline(True)

    if way == "whole":
        page.goto(url)
    else:
        page.locator(f'#list a[href="{page.evaluate("(url) => new URL(url).pathname", url)}"]').first.click()

    expect(last(page)).to_contain_text("You said: Keep this")
    expect(page.get_by_text("this is how it looked at")).to_be_visible()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
