"""Several tabs of one browser: one connection between them, whichever of them closes, sleeps or is read."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import chat, composer, expect_done, last, messages, row, send, until, wait_for
from tests.browser.conftest import Gate, OpenPage

BEFORE = "Before the gate,"
NewTab = Callable[[str], Page]


COUNT_SOCKETS = """
window.sockets = 0;
window.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address);
    this.addEventListener("open", () => {
      window.sockets += 1;
      this.addEventListener("close", () => { window.sockets -= 1; });
    });
  }
};
"""


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    page = open_page("about:blank")
    page.context.add_init_script(COUNT_SOCKETS)
    page.goto("/")
    return page


@pytest.fixture
def tab(page: Page) -> NewTab:
    """Opens a path in another tab of the same browser."""

    def opened(path: str) -> Page:
        another = page.context.new_page()
        another.goto(path)
        return another

    return opened


def sockets(page: Page) -> int:
    """How many connections the tab has open."""
    return int(page.evaluate("window.sockets"))


def expect_one_connection(*tabs: Page) -> None:
    """Between them, whichever it is: one that is held up for seconds may have passed it on."""
    wait_for(tabs[0], lambda: sum(sockets(tab) for tab in tabs) == 1, "not one connection")


class Sleep:
    """A tab that does nothing, as one that the browser has frozen; messages and timers come when it wakes."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Debugger.enable")
        self._paused = False
        self._session.on("Debugger.paused", self._hear)
        self._session.send("Runtime.evaluate", {"expression": "setTimeout(() => { debugger })"})
        while not self._paused:
            page.wait_for_timeout(10)

    def _hear(self, _event: object) -> None:
        self._paused = True

    def end(self) -> None:
        self._session.send("Debugger.resume")
        self._session.detach()


def test_tabs_share_one_connection(page: Page, tab: NewTab, gate: Gate) -> None:
    url = chat(page, "Go slowly", "Gated")
    same, other = tab(url), tab("/")

    for shown in (page, same):
        expect(last(shown).locator("[data-body]")).to_have_text(BEFORE)
    gate.open()
    expect_done(page, "after it.")
    expect_done(same, "after it.")

    expect(row(other, "A scripted title")).to_be_visible()
    send(other, "Another one", "Echo")
    expect_done(other, "You said: Another one")
    expect_one_connection(page, same, other)


def test_when_the_leading_tab_closes_another_goes_on(page: Page, tab: NewTab, gate: Gate) -> None:
    url = chat(page, "Go slowly", "Gated")
    other = tab(url)
    expect(last(other).locator("[data-body]")).to_have_text(BEFORE)

    page.close()
    gate.open()

    expect_done(other, "Before the gate, after it.")
    send(other, "Still there?", "Echo")
    expect_done(other, "You said: Still there?")
    expect_one_connection(other)


def test_when_the_leading_tab_is_frozen_another_takes_over(page: Page, tab: NewTab, gate: Gate) -> None:
    url = chat(page, "Go slowly", "Gated")
    other = tab(url)
    expect(last(other).locator("[data-body]")).to_have_text(BEFORE)

    sleep = Sleep(page)
    until(other, "window.sockets === 1")
    gate.open()
    expect_done(other, "Before the gate, after it.")
    sleep.end()

    expect_done(page, "Before the gate, after it.")
    send(page, "Good morning", "Echo")
    expect_done(page, "You said: Good morning")
    expect_done(other, "You said: Good morning")


def test_a_tab_that_slept_through_an_answer_shows_it_whole(page: Page, tab: NewTab, gate: Gate) -> None:
    url = chat(page, "Go slowly", "Gated")
    other = tab(url)
    expect(last(other).locator("[data-body]")).to_have_text(BEFORE)

    sleep = Sleep(other)
    gate.open()
    expect_done(page, "Before the gate, after it.")
    sleep.end()

    expect_done(other, "Before the gate, after it.")
    expect_one_connection(page, other)


def test_a_single_tab_that_sleeps_in_mid_answer_shows_it_whole(page: Page, gate: Gate) -> None:
    chat(page, "Go slowly", "Gated")
    expect(last(page).locator("[data-body]")).to_have_text(BEFORE)

    sleep = Sleep(page)
    gate.open()
    sleep.end()

    expect_done(page, "Before the gate, after it.")


def test_a_draft_is_the_same_in_every_tab(page: Page, tab: NewTab) -> None:
    url = chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")
    other = tab(url)

    composer(page).fill("Half a thought")
    expect(composer(other)).to_have_value("Half a thought")
    composer(other).press("Enter")
    expect(messages(other)).to_have_count(4)

    expect(composer(page)).to_have_value("")
    expect_done(page, "You said: Half a thought")
