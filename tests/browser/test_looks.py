"""What a person needs to see: every text stands out from its ground, in both themes."""

from typing import Any, Literal

import pytest
from playwright.sync_api import Page

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

    for path in ("/accounts/2fa/", "/accounts/password/change/", "/accounts/logout/"):
        page.goto(path)
        assert faint_texts(page) == [], path
