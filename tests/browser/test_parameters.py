"""The form for instructions and parameters, in a real browser."""

import httpx
from playwright.sync_api import expect

from tests.browser.acting import choose_model, composer, conversation_of, expect_done, send
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
    dialog.get_by_label("Temperature").press("Enter")
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


def test_what_is_wished_of_a_new_chat_stays_with_its_draft_and_goes_with_its_first_message(
    open_page: OpenPage, client: httpx.Client
) -> None:
    page = open_page()
    choose_model(page, "Echo")
    composer(page).fill("Hello")
    page.get_by_role("button", name="Instructions and parameters").click()
    dialog = page.get_by_role("dialog", name="Instructions and parameters")
    dialog.get_by_label("Instructions", exact=True).fill("Answer in verse.\nAlways.")
    dialog.get_by_label("Temperature").fill("0.4")
    dialog.get_by_label("Temperature").press("Enter")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Instructions and parameters: 2 set").wait_for()

    page.reload()
    expect(page.locator("#wishes")).to_contain_text("Not known to this model: Temperature")
    choose_model(page, "Echo")
    expect(page.locator("#wishes")).not_to_contain_text("Not known")
    expect(composer(page)).to_have_value("Hello")
    composer(page).press("Enter")
    expect_done(page, "You said: Hello")
    expect(page.get_by_role("link", name="Instructions and parameters: 2 set")).to_be_visible()
    begun = client.get(f"/api/v1/conversations/{conversation_of(page.url)}/").json()
    assert (begun["system"], begun["params"]) == ("Answer in verse.\nAlways.", {"temperature": 0.4})

    page.goto("/")
    expect(page.get_by_role("button", name="Instructions and parameters", exact=True)).to_be_visible()
