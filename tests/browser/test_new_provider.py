"""From a key to an answer: staff add a provider to an installation that runs, and somebody asks it."""

import html
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import expect_done, send
from tests.browser.conftest import OpenPage
from tests.running import Chatcore
from tests.upstreams.server import Upstream

SECRET = "sk-only-the-provider-knows-it"
NAME = "A new provider"
MODELS = ("newcomer-one", "newcomer-two")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Lists two models, and answers for both."""
    server = Upstream()
    server.plan("/v1/models", pieces=MODELS)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def _removed_afterwards(chatcore: Chatcore) -> Iterator[None]:
    """Other tests choose among the models that are there."""
    yield
    code = (
        "from chatcore.llm.models import Model, Provider;"
        f"Provider.objects.filter(name={NAME!r}).delete();"
        f"Model.objects.filter(name__in={MODELS!r}).delete()"
    )
    chatcore.manage("shell", "--no-imports", "-c", code)


def add_provider(page: Page, upstream: Upstream) -> None:
    page.goto("/admin/llm/provider/add/")
    page.get_by_label("Name:").fill(NAME)
    page.get_by_label("Address:").fill(f"{upstream.url}/v1")
    page.get_by_label("Key:").fill(SECRET)
    page.get_by_role("button", name="Save", exact=True).click()


def stored_credential(chatcore: Chatcore) -> str:
    with chatcore.connect() as connection:
        query = "select credential from llm_provider where name = %s"
        (found,) = connection.execute(query, [NAME]).fetchone() or ("",)
    return str(found)


def assert_shown_nowhere(page: Page, client: httpx.Client) -> None:
    for link in ("/admin/llm/provider/", "/admin/llm/deployment/"):
        page.goto(link)
        assert SECRET not in html.unescape(page.content())
    page.goto("/admin/llm/provider/")
    page.get_by_role("link", name=NAME, exact=True).click()
    expect(page.get_by_label("Key:")).to_have_value("")
    assert SECRET not in html.unescape(page.content())
    assert SECRET not in client.get("/api/v1/providers/").text


@pytest.mark.usefixtures("_removed_afterwards")
def test_a_provider_that_staff_add_answers_on_the_page_without_a_restart(
    open_page: OpenPage, chatcore: Chatcore, client: httpx.Client, upstream: Upstream
) -> None:
    processes = {name: process.pid for name, process in chatcore.processes.items()}
    page = open_page()
    send(page, "Before it is there", "Echo")
    expect_done(page, "You said: Before it is there")

    add_provider(page, upstream)
    page.get_by_label(MODELS[0]).check()
    page.get_by_role("button", name="Add").click()
    page.goto("/")
    send(page, "Who are you?", MODELS[0])

    expect_done(page, "Hello from the upstream")
    asked = [heard for heard in upstream.requests if heard.method == "POST"]
    assert {heard.headers["Authorization"] for heard in asked} == {f"Bearer {SECRET}"}
    assert {heard.body["model"] for heard in asked} == {MODELS[0]}
    assert {name: process.pid for name, process in chatcore.processes.items()} == processes
    assert stored_credential(chatcore).startswith("v")
    assert SECRET not in stored_credential(chatcore)
    assert_shown_nowhere(page, client)
    assert SECRET not in chatcore.log
