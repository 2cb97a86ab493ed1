"""Talking to a model: sending, following, stopping, and what happens when something goes wrong."""

import re
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Route, expect

from tests.browser.acting import chat, composer, drawn, expect_done, last, messages, row, send, wait_for
from tests.browser.conftest import Complaints, Gate, OpenPage, sign_in
from tests.live.talking import start
from tests.running import Chatcore


def test_a_person_signs_in_sends_and_reads_the_answer(
    browser: Browser, chatcore: Chatcore, complaints: Complaints
) -> None:
    context = browser.new_context(base_url=chatcore.url)
    complaints.watch(context)
    page = context.new_page()
    sign_in(page, chatcore.url)

    send(page, "Good evening!", "Echo")

    expect_done(page, "You said: Good evening!")
    expect(page).to_have_url(re.compile("/c/[0-9a-f-]{36}/$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("A scripted title")
    expect(page).to_have_title("A scripted title · Chatcore")
    expect(row(page, "A scripted title").get_by_role("link").first).to_have_attribute("aria-current", "page")
    expect(last(page)).to_contain_text("1,204 tokens")
    context.close()


def test_an_answer_appears_as_it_is_written(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()

    chat(page, "Go slowly", "Gated")

    expect(last(page)).to_have_attribute("data-status", "streaming")
    expect(last(page).locator("[data-body]")).to_have_text("Before the gate,")
    expect(page.get_by_role("button", name="Stop the reply")).to_be_visible()
    gate.open()
    expect_done(page, "Before the gate, after it.")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_what_streamed_in_is_what_a_reload_shows(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    chat(page, "Show me everything", "Rich")
    expect(last(page).locator("td").first).to_have_text("1")
    page.evaluate("window.heading = document.querySelector('.prose h2')")

    gate.open()
    expect_done(page, "at last.")

    assert page.evaluate("window.heading.isConnected"), "finished blocks are not exchanged at the end"
    streamed = drawn(page)
    page.reload()
    assert drawn(page) == streamed


def test_what_was_read_before_the_stream_came_along_stays(
    open_page: OpenPage, client: httpx.Client, gate: Gate
) -> None:
    page = open_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route) if route.request.method == "POST" else route.fallback()

    page.route(lambda url: urlsplit(url).path == "/", hold)
    send(page, "Show me everything", "Rich")
    wait_for(page, lambda: held)
    answer = held[0].fetch()
    wait_for(page, lambda: "| 1 |" in newest_text(client))
    held[0].fulfill(
        response=answer
    )  # the page is told after the beginning was said to it, and reads what was saved
    expect(last(page).locator("td").first).to_have_text("1")
    page.evaluate("window.heading = document.querySelector('.prose h2')")

    gate.open()
    expect_done(page, "at last.")

    assert page.evaluate("window.heading.isConnected"), "blocks that are equal are not exchanged"


def test_who_writes_before_the_page_can_send_is_heard_once_it_can(
    open_page: OpenPage, client: httpx.Client
) -> None:
    page = open_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/js/app*.js", hold)
    page.goto(f"/c/{start(client)}/", wait_until="commit")
    wait_for(page, lambda: held)

    send(page, "Quickly")
    expect(composer(page)).to_have_value("Quickly")
    held[0].fallback()

    expect_done(page, "You said: Quickly")
    expect(messages(page)).to_have_count(2)


def newest_text(client: httpx.Client) -> str:
    """Of the conversation in which something was said last."""
    newest = client.get("/api/v1/conversations/").json()["results"][0]["id"]
    text: str = client.get(f"/api/v1/conversations/{newest}/messages/").json()["results"][-1]["text"]
    return text


def test_a_refresh_in_mid_stream_loses_nothing(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    chat(page, "Go slowly", "Gated")
    expect(last(page).locator("[data-body]")).to_have_text("Before the gate,")

    page.reload()
    expect(last(page).locator("[data-body]")).to_have_text("Before the gate,")
    gate.open()

    expect_done(page, "Before the gate, after it.")


def test_a_second_screen_follows_live(open_page: OpenPage, gate: Gate) -> None:
    here, there = open_page(), open_page()
    url = chat(here, "Go slowly", "Gated")
    there.goto(url)
    expect(last(there).locator("[data-body]")).to_have_text("Before the gate,")

    gate.open()
    expect_done(here, "Before the gate, after it.")
    expect_done(there, "Before the gate, after it.")
    send(here, "And another one")
    expect(messages(there)).to_have_count(4)
    expect_done(there, "after it.")
    expect_done(here, "after it.")

    wait_for(here, lambda: drawn(here) == drawn(there))


def test_a_stopped_answer_keeps_what_was_said(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    chat(page, "Go slowly", "Gated")
    expect(last(page).locator("[data-body]")).to_have_text("Before the gate,")

    page.get_by_role("button", name="Stop the reply").click()

    expect(last(page)).to_have_attribute("data-status", "stopped")
    expect(last(page)).to_contain_text("Before the gate,")
    expect(last(page)).to_contain_text("Stopped here.")


def test_a_message_sent_meanwhile_waits_its_turn(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    chat(page, "First", "Gated")
    expect(last(page).locator("[data-body]")).to_have_text("Before the gate,")

    composer(page).fill("Second")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    composer(page).press("Enter")
    expect(messages(page)).to_have_count(4)
    expect(last(page)).to_contain_text("Waiting for its turn")
    gate.open()

    expect_done(page, "after it.")
    expect(page.locator('.message[data-status="done"]')).to_have_count(4)


def test_reasoning_is_folded_and_can_be_read_while_it_grows(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    chat(page, "Left or right?", "Thinker")

    thinking = last(page).locator("details.reasoning")
    expect(thinking.locator("summary")).to_contain_text("Thinking…")
    thinking.locator("summary").click()
    expect(thinking.locator("[data-reasoning]")).to_have_text("Two ways are open.")
    gate.open()

    expect_done(page, "The left one.")
    expect(thinking).to_have_attribute("open", "")
    expect(thinking.locator("summary")).to_contain_text("Reasoning")


def test_a_failure_is_said_in_words_and_tried_again(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Try", "Broken")

    expect(last(page)).to_have_attribute("data-status", "failed")
    expect(last(page)).to_contain_text("It began well")
    expect(last(page)).to_contain_text("The provider is overloaded.")
    last(page).get_by_role("button", name="Try again").click()
    expect(last(page)).to_have_attribute("data-attempt", "2")
    expect(last(page)).to_have_attribute("data-status", "failed")
    last(page).get_by_role("link", name="Use another model").click()
    page.get_by_role("option", name="Echo").click()

    expect_done(page, "You said: Try")


def test_a_refused_message_returns_to_the_composer_with_the_reason(
    open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expect("422")
    page = open_page()
    chat(page, "Hello", "Echo")
    expect_done(page, "Hello")
    page.evaluate("document.querySelector('[data-composer]').dataset.limit = 40000")

    composer(page).fill("x" * 32_001)
    composer(page).press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("at most 32,000")
    expect(composer(page)).to_have_value("x" * 32_001)
    expect(messages(page)).to_have_count(2)


def test_near_the_limit_the_characters_left_are_told(open_page: OpenPage) -> None:
    page = open_page()

    composer(page).fill("x" * 31_990)
    expect(page.locator("[data-count]")).to_have_text("10 characters left")
    composer(page).fill("x" * 32_005)
    expect(page.locator("[data-count]")).to_have_text("5 characters too many")
    composer(page).press("Enter")

    expect(page).to_have_url(re.compile("/$"))
    expect(composer(page)).to_have_value("x" * 32_005)


def test_a_draft_is_kept_for_each_conversation(open_page: OpenPage) -> None:
    page = open_page()
    url = chat(page, "Hello", "Echo")
    expect_done(page, "Hello")
    composer(page).fill("Half a thought")
    page.get_by_role("link", name="New chat", exact=True).first.click()
    expect(composer(page)).to_have_value("")

    page.goto(url)

    expect(composer(page)).to_have_value("Half a thought")


def test_a_lost_server_is_told_and_nothing_is_missed(
    open_page: OpenPage, chatcore: Chatcore, complaints: Complaints
) -> None:
    complaints.expect("WebSocket connection")
    complaints.expect("ERR_")
    page = open_page()
    chat(page, "Hello", "Echo")
    expect_done(page, "Hello")

    chatcore.stop("up")
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    send(page, "Are you there?")
    expect(page.get_by_text("1 message waits")).to_be_visible()
    expect(last(page)).to_contain_text("Waits to be sent")
    chatcore.start()

    expect(messages(page)).to_have_count(4, timeout=60_000)  # it comes back ever more rarely
    expect_done(page, "Are you there?")
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    expect(page.get_by_text("1 message waits")).to_be_hidden()
