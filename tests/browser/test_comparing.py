"""Comparing models on the pages: marking them, columns that stream, choosing one, going on."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.acting import PICKER, composer, drawn, expect_done, last, messages, send, wait_for
from tests.browser.conftest import PHONE, Gate, OpenPage

BEFORE = "Before the gate,"


def columns(page: Page) -> Locator:
    return page.locator("[data-comparison] .message")


def column(page: Page, label: str) -> Locator:
    return columns(page).filter(has=page.get_by_role("heading", name=label, exact=True))


def mark(page: Page, *labels: str) -> None:
    """Models to compare, in the picker."""
    page.locator("[data-pick]").click()
    page.get_by_role("button", name="Compare several").click()
    marked = page.locator(f'{PICKER} [aria-selected="true"]')
    while marked.count():
        marked.first.click()
    for label in labels:
        page.locator(PICKER).get_by_role("option", name=label, exact=True).click()
    expect(page.locator("[data-model-label]")).to_have_text(f"{len(labels)} models")
    page.keyboard.press("Escape")


def test_two_models_answer_side_by_side_and_the_better_one_goes_on(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    mark(page, "Gated", "Thinker")
    send(page, "Which way?")

    expect(column(page, "Gated").locator("[data-body]")).to_have_text(BEFORE)
    expect(column(page, "Thinker").locator("[data-reasoning]")).to_have_text("Two ways are open.")
    expect(page.locator("[data-model-label]")).not_to_have_text("2 models")
    left, right = (column(page, label).bounding_box() for label in ("Gated", "Thinker"))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] != right["x"]

    page.reload()
    other = open_page(page.url)
    for shown in (page, other):
        expect(columns(shown)).to_have_count(2)
        expect(column(shown, "Gated").locator("[data-body]")).to_have_text(BEFORE)

    gate.open()
    for shown in (page, other):
        expect(column(shown, "Gated").locator("[data-body]")).to_have_text("Before the gate, after it.")
        expect(column(shown, "Thinker").locator("[data-body]")).to_have_text("The left one.")
        expect(columns(shown).locator(".choose")).to_have_count(2)
    streamed = drawn(page)
    page.reload()
    assert drawn(page) == streamed

    column(page, "Thinker").get_by_role("button", name="Choose this one").click()
    for shown in (page, other):
        expect(shown.locator("[data-comparison]")).to_have_count(0)
        expect_done(shown, "The left one.")
        expect(last(shown)).to_contain_text("preferred")
    wait_for(page, lambda: drawn(other) == drawn(page))

    send(page, "Thank you", "Echo")
    for shown in (page, other):
        expect_done(shown, "You said: Thank you")
        expect(messages(shown)).to_have_count(4)


def test_each_column_is_stopped_by_itself(open_page: OpenPage, gate: Gate) -> None:
    page = open_page()
    mark(page, "Gated", "Rich")
    send(page, "Which way?")
    expect(column(page, "Gated").locator("[data-body]")).to_have_text(BEFORE)

    column(page, "Gated").get_by_role("button", name="Stop", exact=True).click()

    expect(column(page, "Gated")).to_contain_text("Stopped here.")
    expect(column(page, "Rich")).to_have_attribute("data-status", "streaming")
    gate.open()
    expect(column(page, "Rich")).to_have_attribute("data-status", "done")


def test_going_on_without_a_choice_follows_the_first(open_page: OpenPage) -> None:
    page = open_page()
    send(page, "Hello", "Echo")
    expect_done(page, "You said: Hello")
    other = open_page(page.url)
    mark(page, "Echo", "Broken")
    send(page, "Once more")
    for shown in (page, other):
        expect(columns(shown)).to_have_count(2)
        expect(column(shown, "Echo")).to_have_attribute("data-status", "done")
        expect(column(shown, "Broken")).to_have_attribute("data-status", "failed")

    send(page, "And on")

    for shown in (page, other):
        expect(shown.locator("[data-comparison]")).to_have_count(0)
        expect_done(shown, "You said: And on")
        expect(messages(shown)).to_have_count(6)
    page.get_by_role("button", name="Next version").click()
    for shown in (page, other):
        expect(columns(shown)).to_have_count(2)


def test_the_picker_marks_four_at_most_and_is_worked_by_keys(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("[data-pick]").focus()
    page.keyboard.press("Enter")
    compare = page.get_by_role("button", name="Compare several")
    compare.focus()
    page.keyboard.press("Space")
    expect(compare).to_have_attribute("aria-pressed", "true")
    expect(page.locator(PICKER)).to_have_attribute("aria-multiselectable", "true")

    options = page.locator(PICKER).get_by_role("option")
    for number in range(5):
        option = options.nth(number)
        if option.get_attribute("aria-selected") == "false":
            option.focus()
            page.keyboard.press("Enter")
    expect(page.locator(f'{PICKER} [aria-selected="true"]')).to_have_count(4)
    expect(page.locator("[data-model-label]")).to_have_text("4 models")
    expect(page.get_by_text("4 models will answer side by side.")).to_be_visible()

    compare.click()
    expect(page.locator(f'{PICKER} [aria-selected="true"]')).to_have_count(1)
    expect(page.locator("[data-model-label]")).not_to_have_text("4 models")


@pytest.mark.parametrize("width", [320, PHONE["width"], 820, 1440])
def test_columns_never_widen_the_page(open_page: OpenPage, gate: Gate, width: int) -> None:
    gate.open()
    page = open_page(viewport={"width": width, "height": 780})
    mark(page, "Rich", "Echo", "Tall")
    send(page, "w" * 200)
    for label in ("Rich", "Echo", "Tall"):
        expect(column(page, label)).to_have_attribute("data-status", "done")

    box = "document.querySelector('[data-scroll]')"
    assert page.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    column(page, "Tall").get_by_role("button", name="Choose this one").click()
    expect(page.locator("[data-comparison]")).to_have_count(0)
    expect_done(page, "The end.")
    expect(composer(page)).to_be_visible()
