"""What is done to messages: edit, branches, regenerate, delete, copy; and reading long threads."""

from playwright.sync_api import Page, expect

from tests.browser.acting import chat, choose_model, composer, expect_done, last, messages, send, wait_for
from tests.browser.conftest import Gate, OpenPage


def test_an_edit_makes_a_branch_that_the_arrows_step_between(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Tea?", "Echo")
    expect_done(page, "You said: Tea?")

    messages(page).first.hover()
    messages(page).first.get_by_role("link", name="Edit").click()
    editing = page.get_by_role("textbox", name="Edit your message")
    expect(editing).to_be_focused()
    editing.fill("Coffee?")
    editing.press("Enter")
    expect_done(page, "You said: Coffee?")
    expect(messages(page)).to_have_count(2)
    expect(messages(page).first).to_contain_text("2/2")

    messages(page).first.get_by_role("button", name="Previous version").click()
    expect(last(page)).to_contain_text("You said: Tea?")
    expect(messages(page).first).to_contain_text("1/2")
    messages(page).first.get_by_role("button", name="Next version").click()
    expect(last(page)).to_contain_text("You said: Coffee?")


def test_escape_leaves_an_edit_without_a_trace(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Tea?", "Echo")
    expect_done(page, "Tea?")

    composer(page).press("ArrowUp")
    editing = page.get_by_role("textbox", name="Edit your message")
    expect(editing).to_have_value("Tea?")
    editing.fill("Something else")
    editing.press("Escape")

    expect(editing).to_be_hidden()
    expect(messages(page).first).to_contain_text("Tea?")
    expect(composer(page)).to_be_focused()


def test_another_model_answers_beside_the_first(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Who are you?", "Echo")
    expect_done(page, "Who are you?")

    last(page).get_by_role("link", name="Regenerate with another model").click()
    page.get_by_role("option", name="Broken").click()

    expect(last(page)).to_have_attribute("data-status", "failed")
    expect(last(page).get_by_role("heading", level=2)).to_have_text("Broken")
    expect(last(page)).to_contain_text("2/2")
    last(page).get_by_role("button", name="Previous version").click()
    expect(last(page).get_by_role("heading", level=2)).to_have_text("Echo")


def test_a_second_screen_sees_edits_branches_and_deletions(open_page: OpenPage) -> None:
    here, there = open_page(), open_page()
    there.goto(chat(here, "Tea?", "Echo"))
    expect_done(there, "Tea?")

    last(here).get_by_role("button", name="Regenerate", exact=True).click()
    expect(last(there)).to_contain_text("2/2")
    expect_done(here, "Tea?")
    last(here).get_by_role("button", name="Previous version").click()
    expect(last(there)).to_contain_text("1/2")
    messages(here).first.hover()
    messages(here).first.get_by_role("link", name="Delete").click()
    expect(here.get_by_role("dialog")).to_contain_text("The 2 messages below it go with it")
    here.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(messages(here)).to_have_count(0)
    expect(messages(there)).to_have_count(0)


def test_deleting_can_be_thought_better_of(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Tea?", "Echo")
    expect_done(page, "Tea?")

    last(page).get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    last(page).get_by_role("link", name="Delete").click()
    dialog.get_by_role("link", name="Keep it").click()

    expect(dialog).to_be_hidden()
    expect(messages(page)).to_have_count(2)


def test_a_message_and_its_code_are_copied_as_written(open_page: OpenPage, gate: Gate) -> None:
    gate.open()
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    chat(page, "Show me everything", "Rich")
    expect_done(page, "at last.")

    last(page).get_by_role("button", name="Copy").last.click()
    expect(last(page).locator(".icon-button.copied")).to_be_visible()
    message = page.evaluate("navigator.clipboard.readText()")
    last(page).locator("figure").get_by_role("button", name="Copy").click()
    expect(last(page).locator("figure .copied")).to_be_visible()
    code = page.evaluate("navigator.clipboard.readText()")

    assert message.startswith("## A plan\n\nFirst **this**")
    assert code == "for number in range(3):\n    print(number)\n"


def test_long_code_lines_wrap_on_demand(open_page: OpenPage, gate: Gate) -> None:
    gate.open()
    page = open_page()
    chat(page, "Show me everything", "Rich")
    expect_done(page, "at last.")

    wrap = last(page).get_by_role("button", name="Wrap")
    wrap.click()

    expect(wrap).to_have_attribute("aria-pressed", "true")
    expect(last(page).locator("pre")).to_have_css("white-space", "pre-wrap")


def position(page: Page) -> int:
    return int(page.evaluate("document.querySelector('[data-scroll]').scrollTop"))


def test_the_view_follows_the_end_only_if_the_reader_is_there(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    chat(page, "A tall one", "Tall")
    expect(last(page)).to_contain_text("Paragraph 59.")
    expect(last(page).get_by_text("Paragraph 59.")).to_be_in_viewport(ratio=1)

    page.mouse.move(700, 300)
    page.mouse.wheel(0, -900)
    expect(page.get_by_role("button", name="Latest")).to_be_visible()
    before = position(page)
    gate.open()
    expect_done(page, "The end.")

    assert position(page) == before, "nothing moves under the reader"
    page.get_by_role("button", name="Latest").click()
    expect(last(page).get_by_text("The end.")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Latest")).to_be_hidden()


def test_earlier_messages_come_as_the_reader_nears_them_and_nothing_jumps(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Message 0", "Echo")
    for number in range(1, 20):
        send(page, f"Message {number}")
        expect_done(page, f"You said: Message {number}")
    page.reload()
    expect(messages(page)).to_have_count(30)
    expect(composer(page)).to_be_focused()
    first = messages(page).first.get_attribute("id")

    page.evaluate("document.querySelector('[data-scroll]').scrollTop = 40")
    expect(messages(page)).to_have_count(40)

    expect(page.get_by_role("link", name="Show earlier messages")).to_have_count(0)
    expect(page.locator(f"#{first}")).to_be_in_viewport()


def test_the_model_of_a_conversation_is_remembered(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Hello", "Echo")
    expect_done(page, "Hello")

    choose_model(page, "Thinker")
    page.wait_for_load_state("networkidle")
    page.reload()

    expect(page.locator("[data-model-label]")).to_have_text("Thinker")


def test_a_reply_in_line_says_how_many_are_ahead_of_it(open_page: OpenPage, gate: Gate) -> None:
    pages = [open_page() for _ in range(3)]
    paths = [chat(page, "Anybody free?", "Crowded") for page in pages]
    expect(last(pages[0])).to_contain_text("My turn.")
    waiting = pages[1:]
    words = {"Waiting for a free place: yours is next", "Waiting for a free place: 1 ahead"}
    for page in waiting:
        expect(last(page).locator("[data-line]")).to_be_visible()
    wait_for(page, lambda: {last(page).locator("[data-line]").inner_text() for page in waiting} == words)

    waiting[0].reload()
    expect(last(waiting[0]).locator("[data-line]")).to_contain_text("Waiting for a free place")
    waiting[0].get_by_role("button", name="Stop the reply").click()
    expect(last(waiting[0])).to_contain_text("Stopped before the first word.")
    expect(last(waiting[1]).locator("[data-line]")).to_have_text("Waiting for a free place: yours is next")

    gate.open()
    expect_done(waiting[1], "My turn. Done.")
    expect(last(waiting[1]).locator("[data-line]")).to_have_count(0)
    assert len(set(paths)) == 3
