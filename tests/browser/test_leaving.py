"""Who is signed in changes: nothing of oneself is lost, and nobody else sees or sends what one left in the browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.acting import (
    FRAME_IS_KEPT,
    chat,
    composer,
    expect_done,
    messages,
    row_of,
    send,
    until,
)
from tests.browser.conftest import Complaints, give_credentials, sign_in
from tests.running import Chatcore

WAITS = "1 message waits and goes out by itself."
KEPT_PATHS = (
    "() => caches.open('chatcore-pages').then((kept) => kept.keys()).then((all) => all.map(({ url }) => url))"
)
BEGUN = "() => Object.keys(localStorage).filter((name) => name.startsWith('draft:'))"


@pytest.fixture
def shared(browser: Browser, chatcore: Chatcore, complaints: Complaints) -> Iterator[BrowserContext]:
    """A browser that several people use, and in which the owner has signed in."""
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    complaints.expect("ERR_FAILED")
    complaints.expect("htmx:")  # the title may just come when the network goes
    context = browser.new_context(base_url=chatcore.url)
    context.set_default_timeout(15_000)
    complaints.watch(context)
    sign_in(context.new_page(), chatcore.url)
    yield context
    context.close()


@pytest.fixture
def page(shared: BrowserContext) -> Page:
    return shared.pages[0]


def sign_out(page: Page) -> None:
    page.locator(".me").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/")


def end_session(context: BrowserContext, chatcore: Chatcore) -> None:
    """As one that has run out: the browser does not know it."""
    (key,) = [cookie["value"] for cookie in context.cookies() if cookie["name"] == "sessionid"]
    with chatcore.connect() as connection:
        assert connection.execute("delete from django_session where session_key = %s", [key]).rowcount == 1


def cut(page: Page) -> None:
    """A moment without a network: the page comes back and learns whether it may."""
    page.context.set_offline(True)
    page.context.set_offline(False)


def test_whose_session_has_ended_signs_in_again_and_goes_on(page: Page, chatcore: Chatcore) -> None:
    url = chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")

    end_session(page.context, chatcore)
    send(page, "Do not forget this")
    expect(page.get_by_text(WAITS)).to_be_visible()
    cut(page)
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    composer(page).fill("Half a thought")
    page.get_by_role("link", name="Sign in again").click()
    give_credentials(page)

    expect(page).to_have_url(url)
    expect_done(page, "You said: Do not forget this")
    expect(messages(page)).to_have_count(4)
    expect(composer(page)).to_have_value("Half a thought")


def test_a_tab_says_that_one_has_signed_out_in_another_and_goes_on_once_one_is_back(page: Page) -> None:
    other = page.context.new_page()
    other.goto("/")
    chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")

    sign_out(other)
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    give_credentials(other)
    expect(composer(other)).to_be_visible()
    send(page, "Still me")

    expect_done(page, "You said: Still me")
    expect(messages(page)).to_have_count(4)
    expect(page.get_by_text("You are signed out.")).to_be_hidden()


def test_what_one_left_is_gone_when_another_signs_in(page: Page, bo: str, chatcore: Chatcore) -> None:
    until(page, FRAME_IS_KEPT)
    url = chat(page, "My secret", "Echo")
    expect_done(page, "You said: My secret")
    until(page, f"{KEPT_PATHS[:-1]}.some((one) => one.includes('/c/')))")
    page.context.set_offline(True)
    send(page, "My second secret")
    expect(page.get_by_text(WAITS)).to_be_visible()
    composer(page).fill("My third secret")
    page.context.set_offline(False)
    page.goto("/")
    page.evaluate("localStorage.setItem('draft:of-somebody:new', 'Half a thought')")
    sign_out(page)
    sign_in(page, chatcore.url, bo)
    until(page, FRAME_IS_KEPT)

    assert page.evaluate(BEGUN) == ["draft:of-somebody:new"]
    assert [path for path in page.evaluate(KEPT_PATHS) if "/c/" in path] == []
    expect(row_of(page, url)).to_have_count(0)
    page.context.set_offline(True)
    page.goto(url)
    expect(page.get_by_text("You are offline")).to_be_visible()
    expect(page.get_by_text("secret")).to_have_count(0)


def test_what_waits_is_sent_by_nobody_else(
    page: Page, bo: str, chatcore: Chatcore, complaints: Complaints
) -> None:
    """One's session ends with a tab still open; another person signs in beside it."""
    complaints.expect("404")
    url = chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")
    end_session(page.context, chatcore)
    send(page, "For nobody else")
    expect(page.get_by_text(WAITS)).to_be_visible()
    composer(page).fill("Half a thought")

    other = page.context.new_page()
    sign_in(other, chatcore.url, bo)

    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
    expect(composer(other)).to_have_value("")
    expect(other.get_by_text("waits")).to_have_count(0)
    expect(other.locator("#list")).not_to_contain_text("For nobody else")
    end_session(page.context, chatcore)
    page.goto(url)
    give_credentials(page)
    expect_done(page, "You said: For nobody else")
    expect(page.locator(".message.user .bubble-text")).to_have_text(["Hello", "For nobody else"])
    expect(composer(page)).to_have_value("Half a thought")
