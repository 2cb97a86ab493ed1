"""The list of conversations, its menus, the keyboard, the drawer on a phone, and a visit without scripts."""

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.acting import chat, composer, expect_done, last, messages, row, wait_for
from tests.browser.conftest import PHONE, Gate, OpenPage


def renamed(page: Page, title: str) -> None:
    """Name the open conversation."""
    page.get_by_role("link", name="Options of this conversation").click()
    page.locator("#menu").get_by_role("link", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Title").fill(title)
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def new_chat(page: Page, title: str) -> str:
    url = chat(page, f"About {title}", "Echo")
    expect_done(page, title)
    expect(page.get_by_role("heading", level=1)).to_have_text("A scripted title")
    renamed(page, title)
    return url


def from_menu(page: Page, title: str, wish: str) -> None:
    row(page, title).hover()
    row(page, title).get_by_role("link", name=re.compile("Options of")).click()
    page.locator("#menu").locator(".menu-item", has_text=re.compile(f"^{wish}$")).click()


def test_renaming_shows_everywhere_at_once(open_page: OpenPage) -> None:
    here, there = open_page(), open_page()
    url = new_chat(here, "Garden plans")

    expect(row(there, "Garden plans")).to_be_visible()
    expect(here).to_have_title("Garden plans · Chatcore")
    there.goto(url)
    renamed(there, "Garden, second try")

    expect(row(here, "Garden, second try")).to_be_visible()
    expect(here.get_by_role("heading", level=1)).to_have_text("Garden, second try")


def test_an_empty_title_is_refused_in_the_dialog(open_page: OpenPage) -> None:
    page = open_page()
    new_chat(page, "Will not change")

    page.get_by_role("link", name="Options of this conversation").click()
    page.locator("#menu").get_by_role("link", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Title").fill("")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()

    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Will not change")


def test_pinned_conversations_stand_first(open_page: OpenPage) -> None:
    page = open_page()
    new_chat(page, "Keep me")
    new_chat(open_page(), "Something newer")
    expect(row(page, "Something newer")).to_be_visible()

    from_menu(page, "Keep me", "Pin")
    expect(row(page, "Keep me")).to_have_attribute("data-group", "pinned")
    expect(page.locator("#list h2").first).to_have_text("Pinned")
    expect(page.locator("#list .row-line").first).to_contain_text("Keep me")
    from_menu(page, "Keep me", "Unpin")

    expect(row(page, "Keep me")).to_have_attribute("data-group", "today")
    expect(page.locator("#list h2").first).to_have_text("Today")


def test_archiving_can_be_undone(open_page: OpenPage) -> None:
    page = open_page()
    new_chat(page, "Old matter")

    from_menu(page, "Old matter", "Archive")
    expect(row(page, "Old matter")).to_have_count(0)
    expect(page.locator("header.bar")).to_contain_text("archived")
    page.get_by_role("button", name="Undo").click()

    expect(row(page, "Old matter")).to_be_visible()
    expect(page.locator("header.bar")).not_to_contain_text("archived")


def test_a_deleted_conversation_is_left_on_every_screen(open_page: OpenPage) -> None:
    here, there = open_page(), open_page()
    url = new_chat(here, "Short-lived")
    there.goto(url)
    expect(messages(there)).to_have_count(2)

    from_menu(here, "Short-lived", "Delete")
    here.get_by_role("dialog").get_by_role("button", name="Delete").click()

    for page in (here, there):
        expect(page).to_have_url(re.compile("/$"))
        expect(page.locator(".notice [data-words]")).to_have_text(["The conversation is deleted."])
        expect(page.locator(".chat")).to_have_count(0)
        expect(row(page, "Short-lived")).to_have_count(0)


def test_a_running_reply_is_marked_in_the_list(open_page: OpenPage, gate: Gate) -> None:
    here, there = open_page(), open_page()
    chat(here, "Go slowly", "Gated")
    expect(last(here)).to_have_attribute("data-status", "streaming")

    first = there.locator("#list .row-line").first
    expect(first).to_have_attribute("data-running", "")
    there.reload()
    expect(first).to_have_attribute("data-running", "")
    gate.open()

    expect(first).not_to_have_attribute("data-running", "")


def test_conversations_are_found_by_title_from_the_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    new_chat(page, "Lighthouse keeping")
    page.goto("/")

    page.keyboard.press("Control+k")
    expect(page.get_by_role("searchbox", name=re.compile("Find a conversation"))).to_be_focused()
    page.keyboard.type("lightHOUSE")
    expect(page.locator("#list .row-line")).to_have_count(1)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Lighthouse keeping")
    expect(messages(page)).to_have_count(2)


def test_the_pages_behind_and_ahead_are_those_of_the_browser(open_page: OpenPage) -> None:
    page = open_page()
    first = new_chat(page, "First stop")
    page.get_by_role("link", name="New chat", exact=True).first.click()
    expect(page.locator(".starters")).to_be_visible()
    second = new_chat(page, "Second stop")

    row(page, "First stop").get_by_role("link").first.click()
    expect(page).to_have_url(first)
    expect(messages(page).first).to_contain_text("About First stop")
    page.go_back()
    expect(page).to_have_url(second)
    expect(messages(page).first).to_contain_text("About Second stop")
    page.go_forward()

    expect(messages(page).first).to_contain_text("About First stop")
    expect(row(page, "First stop").get_by_role("link").first).to_have_attribute("aria-current", "page")


def test_what_a_thread_still_wanted_is_not_asked_of_the_next_one(open_page: OpenPage, gate: Gate) -> None:
    """The page looks each second at a reply that shows nothing; the answers take until another chat is open."""
    page = open_page()
    other = new_chat(page, "Another place")
    page.goto("/")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    drawings = re.compile("/messages/[^/]+/$")
    page.route(drawings, hold)
    chat(page, "Say nothing yet", "Silent")
    expect(last(page)).to_have_attribute("data-status", "streaming")
    wait_for(page, lambda: held)
    page.wait_for_timeout(2_000)  # one look is under way, others wait for it

    row(page, "Another place").get_by_role("link").first.click()
    expect(page).to_have_url(other)
    for route in held:
        route.continue_()
    page.unroute(drawings)
    page.wait_for_timeout(500)
    page.go_back()
    gate.open()

    expect_done(page, "At last.")


def test_the_shortcuts_are_listed(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    page.keyboard.press("/")

    expect(composer(page)).to_be_focused()


def test_shift_enter_breaks_the_line_and_the_composer_grows(open_page: OpenPage) -> None:
    page = open_page()
    before = composer(page).bounding_box()

    composer(page).press_sequentially("One")
    for _ in range(4):
        composer(page).press("Shift+Enter")
    after = composer(page).bounding_box()

    expect(composer(page)).to_have_value("One\n\n\n\n")
    assert before
    assert after
    assert after["height"] > before["height"]


def test_on_a_phone_the_list_is_a_drawer(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    side = page.get_by_role("navigation", name="Conversations")
    expect(side).to_be_hidden()

    page.get_by_role("button", name="Conversations").tap()
    expect(side).to_be_visible()
    page.keyboard.press("Escape")
    expect(side).to_be_hidden()
    page.get_by_role("button", name="Conversations").tap()
    side.get_by_role("link", name="New chat", exact=True).first.tap()  # an untitled one may be in the list

    expect(side).to_be_hidden()
    expect(composer(page)).to_be_visible()


def test_the_chosen_theme_stays(open_page: OpenPage) -> None:
    page = open_page(color_scheme="light")
    page.locator(".me").click()

    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(23, 23, 26)")
    page.locator(".me").click()
    page.get_by_text("System", exact=True).click()

    expect(page.locator("body")).to_have_css("background-color", "rgb(251, 250, 248)")


def test_without_scripts_one_can_talk_too(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)

    page.get_by_role("combobox", name="Model").select_option("echo")
    composer(page).fill("No scripts here")
    page.get_by_role("button", name="Send", exact=True).click()

    expect(messages(page)).to_have_count(2)
    for _ in range(20):
        if last(page).get_attribute("data-status") == "done":
            break
        page.reload()
    expect_done(page, "You said: No scripts here")
    messages(page).first.get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Edit your message").fill("Still none")
    page.get_by_role("main").get_by_role("button", name="Send").click()
    expect(messages(page).first).to_contain_text("Still none")
    expect(messages(page).first).to_contain_text("2/2")
