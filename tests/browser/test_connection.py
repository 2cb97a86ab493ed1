"""The connection of a page: it comes back after every end that a server can give it, and says when it may not."""

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.browser.acting import ask, chat, composer, expect_done, last, messages, wait_for
from tests.browser.conftest import Complaints, Gate, OpenPage
from tests.live.talking import start

HEADING = "<h2>A plan</h2>\n"


class Line:
    """What lies between the pages of a browser and the server: it ends connections, and says what a server might."""

    def __init__(self, context: BrowserContext) -> None:
        self.opened: list[WebSocketRoute] = []
        self.refuses = 0
        self.is_deaf = False
        context.route_web_socket("**/ws/**", self._open)

    def _open(self, here: WebSocketRoute) -> None:
        self.opened.append(here)
        if self.refuses:
            here.close(code=self.refuses)
            return
        there = here.connect_to_server()
        there.on_message(lambda text: None if self.is_deaf else here.send(text))

    def say(self, kind: str, **data: Any) -> None:
        self.opened[-1].send(json.dumps({"type": kind, "data": data}))

    def end(self, code: int) -> None:
        self.opened[-1].close(code=code)


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page("about:blank")


@pytest.fixture
def line(page: Page) -> Line:
    return Line(page.context)


@pytest.fixture
def url(client: httpx.Client) -> str:
    """Where a conversation is in which nothing was said."""
    return f"/c/{start(client)}/"


def test_a_page_comes_back_after_its_connection_has_ended(
    page: Page, line: Line, client: httpx.Client, url: str
) -> None:
    page.goto(url)
    for number, code in enumerate((1012, 1013, 4408, 4400), 1):
        expect(page.locator("body[data-live=open]")).to_be_visible()
        if code == 1012:
            line.say("reconnect", after=0.1)
        line.end(code)
        ask(client, url, f"Anybody there after {code}?")

        expect_done(page, f"Anybody there after {code}?")
        # What was read over HTTP on coming back may show the words before the next connection is there.
        wait_for(page, lambda number=number: len(line.opened) > number, "it did not connect again")
    assert len(line.opened) == 5
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()


def test_what_is_drawn_anew_keeps_the_blocks_that_look_the_same(page: Page, line: Line, gate: Gate) -> None:
    page.goto("/")
    chat(page, "Show me everything", "Rich")
    expect(last(page).locator("td").first).to_have_text("1")
    page.evaluate("window.heading = document.querySelector('.prose h2')")

    drawn = {"first": 0, "blocks": [HEADING, "<p>Drawn anew.</p>"], "tail": "", "reset": True}
    reply = last(page).get_attribute("data-message")
    line.say("reply.delta", message=reply, attempt=1, part="text", offset=1_000, text="", html=drawn)
    expect(last(page)).to_contain_text("Drawn anew.")

    assert page.evaluate("window.heading.isConnected")
    gate.open()
    expect_done(page, "at last.")
    assert page.evaluate("window.heading.isConnected")


def test_a_server_that_is_away_for_long_is_told_in_words(
    page: Page, line: Line, client: httpx.Client, url: str
) -> None:
    page.goto(url)
    expect(page.locator("body[data-live=open]")).to_be_visible()

    line.refuses = 1013
    line.end(1013)
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    line.refuses = 0
    ask(client, url, "Anybody there?")

    expect_done(page, "Anybody there?")
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()


def test_a_page_without_access_says_so_and_asks_no_more(page: Page, line: Line, url: str) -> None:
    page.goto(url)
    composer(page).fill("Half a thought")
    for number, code in enumerate((4401, 4403), 1):
        expect(page.locator("body[data-live=open]")).to_be_visible()
        line.end(code)

        expect(page.get_by_text("You are signed out.")).to_be_visible()
        assert len(line.opened) == number
        page.get_by_role(
            "link", name="Sign in again"
        ).click()  # who is signed in after all comes straight back
    expect(page.locator("body[data-live=open]")).to_be_visible()
    expect(composer(page)).to_have_value("Half a thought")


def test_what_can_no_longer_be_caught_up_with_is_read_anew(
    page: Page, line: Line, client: httpx.Client
) -> None:
    page.goto("/")
    url = chat(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")
    composer(page).fill("Half a thought")
    messages(page).first.hover()
    messages(page).first.get_by_role("link", name="Edit").click()
    editor = page.get_by_role("textbox", name="Edit your message")
    editor.fill("Hello, all")

    line.is_deaf = True
    ask(client, url, "Unheard of")
    client.patch(f"/api/v1/conversations/{url.split('/')[-2]}/", json={"title": "Renamed"}).raise_for_status()
    line.say("resync", title="Gone", status=410, detail="", instance="", code="resync", retryable=False)

    expect_done(page, "Unheard of")
    expect(page.get_by_role("heading", level=1)).to_have_text("Renamed")
    expect(page).to_have_title("Renamed · Chatcore")
    expect(composer(page)).to_have_value("Half a thought")
    expect(editor).to_have_value("Hello, all")


def test_a_conversation_that_was_deleted_unheard_is_left(
    page: Page, line: Line, client: httpx.Client, url: str, complaints: Complaints
) -> None:
    complaints.expect("404")
    page.goto(url)
    expect(page.locator("body[data-live=open]")).to_be_visible()

    line.is_deaf = True
    client.delete(f"/api/v1{url.replace('/c/', '/conversations/')}").raise_for_status()
    line.say("resync", title="Gone", status=410, detail="", instance="", code="resync", retryable=False)

    expect(page.locator(".notice [data-words]")).to_have_text(["The conversation is deleted."])
    expect(page.locator(".chat")).to_have_count(0)
