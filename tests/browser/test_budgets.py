"""A spent budget as a person meets it: told in the composer, raised on the page of usage, and the message goes out."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.acting import chat, composer, expect_done, messages
from tests.browser.conftest import PHONE, Complaints, OpenPage
from tests.running import Chatcore


@pytest.fixture
def _no_budgets_left(chatcore: Chatcore) -> Iterator[None]:
    yield
    with chatcore.client() as http:
        for budget in http.get("/api/v1/budgets/").json()["results"]:
            http.delete(f"/api/v1/budgets/{budget['id']}/")


@pytest.mark.usefixtures("_no_budgets_left")
def test_a_spent_budget_is_told_in_the_composer_and_nothing_is_lost(
    open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expect("429")
    page = open_page()
    chat(page, "The first of the day", "Echo")
    expect_done(page, "The first of the day")
    staff = open_page("/workspace/usage/")
    staff.get_by_role("link", name="Add a budget").click()
    staff.get_by_label("Model", exact=True).select_option(label="Echo")
    staff.get_by_label("Limit").fill("1")
    staff.get_by_role("button", name="Add").click()
    expect(staff.get_by_role("article")).to_contain_text("1 request a day")
    expect(staff.get_by_role("article")).to_contain_text("Spent")

    composer(page).fill("One more")
    composer(page).press("Enter")
    expect(page.locator("[data-composer] [data-problem]")).to_contain_text("budget of 1 request a day")
    expect(page.locator("[data-composer] [data-problem]")).to_contain_text("It starts anew on")
    expect(composer(page)).to_have_value("One more")
    expect(messages(page)).to_have_count(2)

    staff.get_by_role("link", name="Edit").click()
    staff.get_by_role("button", name="Remove this budget").click()
    expect(staff.get_by_role("article")).to_have_count(0)
    composer(page).press("Enter")
    expect_done(page, "One more")


def test_the_page_of_usage_fits_a_phone(open_page: OpenPage) -> None:
    page = open_page("/workspace/usage/?span=7", viewport=PHONE)
    expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    page.get_by_text("The days as a table").click()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    with page.expect_download() as file:
        page.get_by_role("link", name="Every call as CSV").click()
    assert file.value.suggested_filename == "usage.csv"
