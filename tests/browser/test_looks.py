"""What people need to see and reach: contrast, widths, names and regions, in both themes."""

from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import chat, expect_done, last
from tests.browser.conftest import Gate, OpenPage

# Every text with less contrast than WCAG 2.2 AA asks for. Colours are blended down to the page's ground; what is
# disabled, hidden or decoration is exempt.
FAINT_TEXTS = """() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, ground) => [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3]));
  const groundOf = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((ground, layer) => over(layer, ground), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || element.closest("[aria-hidden=true], :disabled, template, .visually-hidden, option")) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const style = getComputedStyle(element), ground = groundOf(element);
    const [a, b] = [light(over(rgba(style.color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)} (${style.color})`);
  }
  return faint;
}"""

Theme = Literal["light", "dark"]


def faint_texts(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate(FAINT_TEXTS)
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_of_a_chat_stands_out(open_page: OpenPage, gate: Gate, theme: Theme) -> None:
    gate.open()
    page = open_page(color_scheme=theme, reduced_motion="reduce")
    assert faint_texts(page) == []
    chat(page, "Show me everything", "Rich")
    expect_done(page, "at last.")
    last(page).hover()
    assert faint_texts(page) == []

    chat(open_page(), "And fail", "Broken")
    page.goto("/")
    page.locator("#list .row-link").first.click()
    last(page).get_by_text("overloaded").wait_for()
    assert faint_texts(page) == []
    page.locator(".me").click()
    assert faint_texts(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_of_the_other_pages_stands_out(open_page: OpenPage, theme: Theme) -> None:
    page = open_page("/archived/", color_scheme=theme, reduced_motion="reduce")
    assert faint_texts(page) == []

    for path in (
        "/accounts/2fa/",
        "/accounts/password/change/",
        "/accounts/logout/",
        "/workspace/schedules/",
    ):
        page.goto(path)
        assert faint_texts(page) == [], path


PAGES = (
    "/",
    "/conversations/",
    "/archived/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/email/",
    "/accounts/logout/",
    "/workspace/authenticators/",
    "/workspace/authenticators/add/?kind=jwt",
    "/workspace/schedules/",
    "/workspace/schedules/add/",
    "/workspace/sources/",
    "/workspace/sources/add/",
)


@pytest.mark.parametrize("width", [320, 820, 1440])
def test_no_page_is_wider_than_its_window_or_complains(open_page: OpenPage, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 720})

    for path in PAGES:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_thread_with_everything_fits_the_smallest_screen(open_page: OpenPage, gate: Gate) -> None:
    gate.open()
    page = open_page(viewport={"width": 320, "height": 640})
    chat(page, "w" * 400, "Rich")
    expect_done(page, "at last.")

    box = "document.querySelector('[data-scroll]')"
    assert page.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_everything_that_can_be_pressed_has_a_name(open_page: OpenPage) -> None:
    page = open_page()
    chat(page, "Hello", "Echo")
    expect_done(page, "Hello")

    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    pressed = {
        "button",
        "link",
        "textbox",
        "searchbox",
        "combobox",
        "radio",
        "checkbox",
        "menuitem",
        "option",
    }
    nameless = [
        node
        for node in tree
        if not node["ignored"] and node["role"]["value"] in pressed and not node.get("name", {}).get("value")
    ]

    assert nameless == []


def test_every_page_names_its_regions(open_page: OpenPage) -> None:
    page = open_page()

    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("navigation", name="Conversations")).to_have_count(1)
    expect(page.get_by_role("search")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") != "BODY"
