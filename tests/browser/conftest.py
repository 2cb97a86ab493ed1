"""A real server and a real browser. Everything a page writes to its console as an error fails the test that saw it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    StorageState,
    expect,
    sync_playwright,
)

from tests.running import OWNER, PASSWORD, Chatcore

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-smooth-scrolling",
    "--disable-sync",
    "--no-first-run",
    "--renderer-process-limit=20",  # a tab that is held shall not hold others
)
PATIENCE = 30_000  # milliseconds: how soon a page does something is not what these tests are about
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}

RICH = (
    "## A plan\n\nFirst **this**, then `that`.\n\n",
    "- one\n- two\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n",
    "```python\nfor number in range(3):\n    print(number)\n```\n\nAnd $x^2$, at last.[^1]\n\n[^1]: A note.",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path.as_posix()):
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(180))


class Gate:
    """Holds the scripted models in the middle of their answers until it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.unlink(missing_ok=True)

    def open(self) -> None:
        self.path.touch()


@pytest.fixture(scope="session")
def gate_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gates") / "open"


@pytest.fixture
def gate(gate_path: Path) -> Iterator[Gate]:
    held = Gate(gate_path)
    yield held
    held.open()


def scripts(gate: Path) -> dict[str, list[dict[str, Any]]]:
    wait = {"wait": str(gate)}
    return {
        "echo": [
            {"text": "You said: "},
            {"echo": True},
            {"usage": {"input_tokens": 9, "output_tokens": 1204}},
        ],
        "gated": [{"text": "Before the gate, "}, wait, {"text": "after it."}],
        "silent": [wait, {"text": "At last."}],
        "rich": [{"text": RICH[0]}, {"text": RICH[1]}, wait, {"text": RICH[2]}],
        "thinker": [{"reasoning": "Two ways are open."}, wait, {"text": "The left one."}],
        "broken": [{"text": "It began well"}, {"error": {"code": "overloaded"}}],
        "crowded": [{"text": "My turn. "}, wait, {"text": "Done."}],
        "tall": [{"repeat": {"text": "Paragraph {n}.\n\n", "times": 60}}, wait, {"text": "The end."}],
    }


@pytest.fixture(scope="session")
def chatcore(gate_path: Path) -> Iterator[Chatcore]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (chromium, chromium-browser or google-chrome)")
    with Chatcore(scripts=scripts(gate_path), limits={"crowded": {"max_concurrent": 1}}) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture
def client(chatcore: Chatcore) -> Iterator[httpx.Client]:
    """The owner's API."""
    with chatcore.client() as client:
        yield client


@pytest.fixture(scope="session")
def browser(chatcore: Chatcore) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


def sign_in(page: Page, url: str, email: str = OWNER) -> None:
    page.goto(f"{url}/accounts/login/")
    give_credentials(page, email)
    page.wait_for_url(f"{url}/")


def give_credentials(page: Page, email: str = OWNER) -> None:
    """To the sign-in page, which leads on from there."""
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.fixture(scope="session")
def bo(chatcore: Chatcore) -> str:
    """The address of somebody else in the owner's workspace."""
    email = "bo@example.com"
    chatcore.manage("bootstrap", "--email", email, "--password", PASSWORD, "--workspace", "Home")
    return email


@pytest.fixture(scope="session")
def session(browser: Browser, chatcore: Chatcore) -> StorageState:
    """The owner's cookies."""
    context = browser.new_context()
    sign_in(context.new_page(), chatcore.url)
    state = context.storage_state()
    context.close()
    return state


class Complaints:
    """What pages said went wrong: script errors, failed requests, violations of the content security policy."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.expected = ["Service Worker registration blocked"]

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.said.append(f"{error.error}"))

    def expect(self, part: str) -> None:
        """The test provokes this one."""
        self.expected.append(part)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    @property
    def unexpected(self) -> list[str]:
        return [said for said in self.said if not any(part in said for part in self.expected)]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    heard = Complaints()
    yield heard
    assert heard.unexpected == []


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(
    browser: Browser, chatcore: Chatcore, session: StorageState, complaints: Complaints
) -> Iterator[OpenPage]:
    """Opens a path as the owner, each time in a browser of its own."""
    contexts: list[BrowserContext] = []

    def opened(path: str = "/", **wishes: Any) -> Page:
        wishes.setdefault("viewport", DESKTOP)
        wishes.setdefault("service_workers", "block")  # tests of reading offline allow it
        context = browser.new_context(storage_state=session, base_url=chatcore.url, **wishes)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        complaints.watch(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A new chat on a desk."""
    return open_page()
