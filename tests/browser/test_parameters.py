"""The form for instructions and parameters, in a real browser."""

import httpx
from playwright.sync_api import expect

from tests.browser.acting import choose_model, expect_done, send
from tests.browser.conftest import Complaints, OpenPage
from tests.live.talking import start


def test_what_is_set_in_one_tab_is_seen_in_the_other_and_what_a_model_does_not_know_is_said(
    open_page: OpenPage, client: httpx.Client, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    url = f"/c/{start(client, title='Parameters', model='echo')}/"
    here, there = open_page(url), open_page(url)
    dialog = here.get_by_role("dialog", name="Instructions and parameters")

    here.get_by_role("link", name="Instructions and parameters").click()
    dialog.get_by_label("Instructions", exact=True).fill("Answer in verse.")
    dialog.get_by_label("Temperature").fill("3")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Temperature must be at most 2.")
    expect(dialog.get_by_label("Temperature")).to_be_focused()
    dialog.get_by_label("Temperature").fill("0.4")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()

    opener = there.get_by_role("link", name="Instructions and parameters: 2 set")
    opener.click()
    expect(there.get_by_role("dialog").get_by_label("Temperature")).to_have_value("0.4")
    there.keyboard.press("Escape")
    choose_model(there, "Demo")
    expect(here.locator("#wishes")).to_contain_text("Not known to this model: Temperature")
    expect(there.locator("#wishes")).to_contain_text("Not known to this model: Temperature")
    choose_model(here, "Echo")
    send(here, "Hello")
    expect_done(here, "You said: Hello")
    expect(there.locator(".wishes-unknown")).to_have_count(0)
