"""An integration as an owner makes one: from the account menu to a command that works."""

import subprocess

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, OpenPage


def test_an_integration_gets_a_key_that_works_at_once(open_page: OpenPage) -> None:
    page = open_page("/workspace/integrations/add/", viewport=PHONE)
    page.get_by_label("Name").fill("Door bell")
    page.get_by_text("Carries a channel both ways").click()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Make a key").click()

    expect(page.locator("[data-key-text]")).to_contain_text("cc_live_")
    command = page.locator("[data-curl]").inner_text()
    done = subprocess.run(["bash", "-c", f"{command} -s"], capture_output=True, text=True, check=True)
    assert '"text":"First words"' in done.stdout.replace('": "', '":"')
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0

    page.reload()
    expect(page.locator(".key-row")).to_contain_text("last used")
    expect(page.locator("[data-key-text]")).to_have_count(0)
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator(".key-row")).to_contain_text("Revoked")
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Remove this integration").click()
    expect(page.get_by_role("heading", name="Integrations")).to_be_visible()
    expect(page.get_by_text("Door bell")).to_have_count(0)
