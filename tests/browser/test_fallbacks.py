"""Browsers, and pages over plain http, that lack what tabs share a connection with: each tab has its own."""

import httpx
from playwright.sync_api import Page, expect

from tests.browser.acting import ask, composer, expect_done, last, messages, row_of, send
from tests.browser.conftest import Complaints, Gate, OpenPage
from tests.browser.test_tabs import BEFORE, COUNT_SOCKETS, expect_one_connection
from tests.live.talking import start

LOCKS = "delete Navigator.prototype.locks; delete Crypto.prototype.randomUUID;"  # neither is there over plain http
CHANNEL = "delete window.BroadcastChannel;"


def tabs(open_page: OpenPage, missing: str, *paths: str) -> list[Page]:
    """Tabs of one browser that lacks something."""
    first = open_page("about:blank")
    first.context.add_init_script(missing + COUNT_SOCKETS)
    pages = [first, *(first.context.new_page() for _ in paths[1:])]
    for page, path in zip(pages, paths, strict=True):
        page.goto(path)
        expect(page.locator("body[data-live=open]")).to_be_visible()
    return pages


def test_each_tab_follows_by_itself(open_page: OpenPage, client: httpx.Client, gate: Gate) -> None:
    url = f"/c/{start(client, 'gated')}/"
    one, two, elsewhere = tabs(open_page, LOCKS, url, url, "/")

    send(one, "Go slowly")
    for page in (one, two):
        expect(last(page).locator("[data-body]")).to_have_text(BEFORE)
    gate.open()
    expect_done(one, "after it.")
    expect_done(two, "after it.")
    send(two, "And once more")
    expect_done(two, "after it.")
    expect(messages(one)).to_have_count(4)
    expect_done(one, "after it.")

    expect(row_of(elsewhere, url)).to_have_attribute("data-unread", "0")
    one.goto("/archived/")
    two.goto("/archived/")
    ask(client, url, "Anything new?")
    expect(row_of(elsewhere, url).locator(".row-unread")).to_be_visible()
    elsewhere.goto(url)
    expect(row_of(one, url)).to_have_attribute("data-unread", "0")
    for page in (one, two, elsewhere):
        expect_one_connection(page)


def test_what_waits_goes_out_once_and_in_order_from_several_tabs(
    open_page: OpenPage, client: httpx.Client, complaints: Complaints
) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    url = f"/c/{start(client)}/"
    one, two = tabs(open_page, LOCKS + CHANNEL, url, url)

    one.context.set_offline(True)
    for page, text in ((one, "First"), (two, "Second"), (one, "Third")):
        send(page, text)
        expect(page.locator(".message.waits", has_text=text)).to_be_visible()
    one.context.set_offline(False)

    for page in (one, two):
        expect(page.locator(".message.user .bubble-text")).to_have_text(["First", "Second", "Third"])
        expect(messages(page)).to_have_count(6)
        expect(page.get_by_text("and go out by themselves")).to_be_hidden()
        expect(composer(page)).to_have_value("")
    one.reload()
    expect(one.locator(".message.user .bubble-text")).to_have_text(["First", "Second", "Third"])


def test_a_chat_that_waits_is_begun_once(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    one, two, idle = tabs(open_page, LOCKS, "/", "/", "/archived/")

    one.context.set_offline(True)
    send(one, "Begin here", "Echo")
    expect(one.locator(".message.waits")).to_be_visible()
    one.context.set_offline(False)

    expect_done(one, "You said: Begin here")
    expect(row_of(idle, one.url)).to_have_count(1)
    expect(composer(two)).to_have_value("")
    expect(two.locator(".message")).to_have_count(0)
