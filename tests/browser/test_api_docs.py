"""The API's reference page: drawn under the strict policy, and enough to make a first request from."""

import re

from playwright.sync_api import expect

from tests.api import ROUTES
from tests.browser.conftest import PHONE, OpenPage
from tests.running import Chatcore


def test_it_draws_every_operation_without_a_complaint(open_page: OpenPage) -> None:
    page = open_page("/api/docs")
    expect(page.get_by_role("heading", name=re.compile("^Chatcore"))).to_be_visible()
    expect(page.locator(".opblock")).to_have_count(len(ROUTES))
    expect(
        page.get_by_text("Conversations that people, outside systems and AI agents share.")
    ).to_be_visible()


def test_it_is_dark_where_the_system_is_and_its_titles_fit_a_phone(open_page: OpenPage) -> None:
    page = open_page("/api/docs", viewport=PHONE, color_scheme="dark")
    title = page.locator(".opblock-tag").first
    expect(title).to_be_visible()
    expect(page.locator("html")).to_have_css("background-color", "rgb(28, 32, 34)")
    expect(page.locator(".swagger-ui").first).to_have_css("color", "rgb(228, 230, 230)")
    words, heading = title.locator("small").bounding_box(), title.bounding_box()
    assert words
    assert heading
    assert words["width"] > 0.9 * heading["width"]


def test_the_staff_pages_leave_the_theme_to_the_system(open_page: OpenPage) -> None:
    """They store the word auto where a theme is kept."""
    page = open_page("/api/docs", color_scheme="dark")
    page.evaluate("localStorage.setItem('theme', 'auto')")
    page.reload()
    expect(page.locator(".swagger-ui").first).to_have_css("color", "rgb(228, 230, 230)")


def test_a_newcomer_makes_the_first_request_with_a_key(open_page: OpenPage, chatcore: Chatcore) -> None:
    """The example body is sent as it stands."""
    page = open_page("/api/docs")
    page.get_by_role("button", name="Authorize", exact=True).click()
    dialog = page.locator(".modal-ux")
    dialog.get_by_label("auth-bearer-value").fill(chatcore.key)
    dialog.get_by_role("button", name="Apply credentials").first.click()
    dialog.get_by_role("button", name="Close", exact=True).first.click()

    operation = page.locator("#operations-conversations-start_conversation")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute", exact=True).click()

    answer = operation.locator(".live-responses-table")
    expect(answer.locator("tbody .response-col_status").first).to_contain_text("201")
    expect(answer.locator(".microlight").first).to_contain_text("Plan a trip")
