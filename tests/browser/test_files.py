"""Files go with a message: picked or pasted, taken out, shown in the thread, opened large; never while offline."""

from playwright.sync_api import FilePayload, Page, expect

from tests.browser.acting import choose_model, composer, expect_done, messages
from tests.browser.conftest import PHONE, Complaints, OpenPage
from tests.conversations.files import picture

CHART = FilePayload(name="chart.png", mimeType="image/png", buffer=picture(size=(600, 400)))
PLAN = FilePayload(name="plan.md", mimeType="text/markdown", buffer=b"# Plan")
ARCHIVE = FilePayload(name="old.zip", mimeType="application/zip", buffer=b"PK\x03\x04\x00\x00")
PASTE = """(field) => {
    const data = new DataTransfer();
    data.items.add(new File(["pasted"], "pasted.txt", { type: "text/plain" }));
    field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


def pick(page: Page, *files: FilePayload) -> None:
    page.get_by_label("Attach files").set_input_files(list(files))


def test_files_are_sent_with_a_message_and_shown_with_it(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("422 (Unprocessable")
    page = open_page(viewport=PHONE)
    picked = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    choose_model(page, "Echo")
    pick(page, CHART, PLAN, ARCHIVE)
    composer(page).evaluate(PASTE)
    expect(picked).to_have_count(4)
    expect(picked.filter(has_text="old.zip")).to_contain_text("of a type that is not taken here")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("Take them out")

    picked.filter(has_text="old.zip").get_by_role("button", name="Take out").click()
    expect(picked.filter(has_text="pasted.txt").get_by_role("progressbar")).to_be_hidden()
    page.reload()
    expect(picked).to_have_count(3)
    choose_model(page, "Echo")
    picked.filter(has_text="pasted.txt").get_by_role("button", name="Take out").click()
    page.get_by_role("button", name="Send").click()
    sent = messages(page).first
    expect(sent.get_by_role("img", name="chart.png")).to_be_visible()
    expect(sent.get_by_role("link", name="plan.md")).to_have_attribute("download", "plan.md")
    expect_done(page, "[image: chart.png, not shown to this model]")
    expect(messages(page).last).to_contain_text("this model was not shown them")
    expect(picked).to_have_count(0)

    sent.get_by_role("img", name="chart.png").click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_role("img")).to_have_js_property("naturalWidth", 600)
    viewer.get_by_role("button", name="Close").click()
    expect(viewer).to_be_hidden()

    pick(page, PLAN)
    expect(picked.get_by_role("progressbar")).to_be_hidden()
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("A message with files does not wait")
    expect(picked).to_have_count(1)
    page.context.set_offline(False)
