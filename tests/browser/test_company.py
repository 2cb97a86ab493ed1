"""Two people with one conversation on their screens: each sees the other come, write, and go."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.acting import composer, expect_done, messages, row_of, send
from tests.browser.conftest import PATIENCE, Complaints, OpenPage, sign_in
from tests.live.talking import start
from tests.running import Chatcore

JOIN = """
insert into conversations_member (conversation_id, user_id, workspace_id, last_message_at, pinned, unread)
select conversation.id, bo.id, conversation.workspace_id, conversation.last_message_at, false, 0
from conversations_conversation as conversation, accounts_user as bo
where conversation.id = %s and bo.email = %s
"""


@pytest.fixture(scope="module")
def session_of_bo(browser: Browser, chatcore: Chatcore, bo: str) -> StorageState:
    context = browser.new_context()
    sign_in(context.new_page(), chatcore.url, bo)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def url(client: httpx.Client, chatcore: Chatcore, bo: str) -> str:
    """Where a conversation of the owner is that Bo is in too."""
    conversation = start(client, title="Company")
    with chatcore.connect() as connection:
        assert connection.execute(JOIN, [conversation, bo]).rowcount == 1
    return f"/c/{conversation}/"


@pytest.fixture
def theirs(
    browser: Browser, chatcore: Chatcore, session_of_bo: StorageState, complaints: Complaints
) -> Iterator[Page]:
    """Bo's screen."""
    context = browser.new_context(storage_state=session_of_bo, base_url=chatcore.url, service_workers="block")
    context.set_default_timeout(PATIENCE)
    complaints.watch(context)
    yield context.new_page()
    context.close()


def test_one_sees_that_the_other_is_there_and_writes(open_page: OpenPage, theirs: Page, url: str) -> None:
    ours = open_page(url)
    presence, typing = ours.locator("[data-presence]"), ours.locator("[data-typing]")
    expect(presence).to_be_hidden()

    theirs.goto(url)
    expect(presence).to_have_text("bo is here")
    expect(theirs.locator("[data-presence]")).to_have_text("owner is here")
    composer(theirs).press_sequentially("Good")
    expect(typing).to_contain_text("bo is writing…")
    composer(theirs).fill("")
    expect(typing).to_be_hidden()
    composer(theirs).press_sequentially("Good evening")
    expect(typing).to_be_visible()
    composer(theirs).press("Enter")

    expect(typing).to_be_hidden()
    expect_done(ours, "You said: Good evening")
    theirs.goto("/")
    expect(presence).to_have_text("bo is here")  # elsewhere on these pages, and still there
    theirs.goto("about:blank")
    expect(presence).to_be_hidden()


def test_what_one_writes_is_new_to_the_other_until_it_is_read(
    open_page: OpenPage, theirs: Page, url: str
) -> None:
    ours = open_page("/")
    theirs.goto(url)

    send(theirs, "Are you there?")
    expect_done(theirs, "You said: Are you there?")
    expect(row_of(ours, url)).to_have_attribute("data-unread", "2")
    expect(row_of(theirs, url)).to_have_attribute("data-unread", "0")
    row_of(ours, url).get_by_role("link").first.click()
    expect(messages(ours)).to_have_count(2)
    expect(row_of(ours, url)).to_have_attribute("data-unread", "0")
    send(ours, "Here I am")

    expect(messages(theirs)).to_have_count(4)
    expect_done(theirs, "You said: Here I am")
