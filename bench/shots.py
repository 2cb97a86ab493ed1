"""Pictures of every page with real content, at three widths, light and dark, into shots/: `make shots`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, StorageState, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
EMAIL, PASSWORD = "nora@example.com", "correct horse battery staple"
SIZES = {"phone": (390, 844), "tablet": (820, 1100), "desk": (1440, 900)}
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PATIENCE = 60.0  # seconds until the server answers

FILL = f"""
from chatcore.accounts.models import User
User.objects.filter(email={EMAIL!r}).update(name="Nora")
from bench.sample import fill
from bench.sample_sections import fill_sections
from bench.sample_webhooks import fill_webhooks
import json
print(json.dumps(fill({EMAIL!r}) | fill_webhooks({EMAIL!r}) | fill_sections({EMAIL!r})))
"""

Act = Callable[[Page], None]


def options(page: Page) -> None:
    page.locator(".bar-options").click()
    page.locator("#menu .menu-item").first.wait_for()


def models(page: Page) -> None:
    page.locator("[data-pick]").click()


def drawer(page: Page) -> None:
    toggle = page.locator(".bar [popovertarget=side]")
    if toggle.is_visible():
        toggle.click()


def account(page: Page) -> None:
    drawer(page)
    page.locator(".me").click()


def editing(page: Page) -> None:
    page.locator(".message.user").last.hover()
    page.locator(".message.user [data-edit]").last.click()
    page.locator("[data-edit-form]").wait_for()


def deleting(page: Page) -> None:
    page.locator(".message").last.hover()
    page.locator(".message [data-key=delete]").last.click()
    page.locator("dialog[open]").wait_for()


def shortcuts(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")


def top(page: Page) -> None:
    page.evaluate("document.querySelector('[data-scroll]').scrollTop = 0")


def whole(page: Page) -> None:
    """All of a page that scrolls."""
    height = page.evaluate("document.documentElement.scrollHeight")
    width = page.evaluate("innerWidth")
    page.set_viewport_size({"width": width, "height": height})


def table(page: Page) -> None:
    page.locator("summary").first.click()
    whole(page)


def key(page: Page) -> None:
    """An integration, as its key has just been made."""
    page.locator(".integration-row a").first.click()
    page.locator("#keys .part-head button").last.click()
    page.locator("[data-key-text]").wait_for()
    whole(page)


def unfolded(page: Page) -> None:
    for summary in page.locator("summary").all():
        summary.click()
    whole(page)


def refused(page: Page) -> None:
    """A form of a section that says nothing but its name and, of a schedule, its message."""
    page.locator("[name=name]").fill("A first one")
    for box in page.locator("[name=content]").all():
        box.fill("It is {{weather}}.")
    page.locator("form .primary").click()
    page.locator(".problem").first.wait_for()
    whole(page)


def writing(page: Page) -> None:
    page.locator("[data-input]").fill("A longer thought,\nover several lines,\n\nwith a gap.")


def picking(page: Page) -> None:
    """Files that are about to be sent."""
    images = sorted((ROOT / "docs" / "images").glob("*.png"))[:1]
    page.locator("[data-files]").set_input_files([*images, ROOT / "README.md", ROOT / "pyproject.toml"])
    page.locator("[data-input]").fill("What do these tell about each other?")
    page.locator('[data-file][data-upload="ready"]').nth(2 if images else 1).wait_for()


def asking(page: Page) -> None:
    """The demo model, in the middle of its answer."""
    page.locator("[data-input]").fill("Show me some code")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator('[data-status="streaming"] .prose > :nth-child(3)').wait_for()


# Name, place (a path, or a name of bench.sample), what is done there. A leading ! is seen without signing in.
SCENES: tuple[tuple[str, str, Act | None], ...] = (
    ("new", "/", None),
    ("new-writing", "/", writing),
    ("new-files", "/", picking),
    ("streaming", "/", asking),
    ("alerts", "alerts", None),
    ("alerts-top", "alerts", top),
    ("everything", "everything", None),
    ("everything-top", "everything", top),
    ("states", "states", None),
    ("states-top", "states", top),
    ("scripts", "scripts", top),
    ("lengths", "lengths", None),
    ("lengths-top", "lengths", top),
    ("long", "long", None),
    ("empty", "empty", None),
    ("options", "alerts", options),
    ("models", "alerts", models),
    ("account", "alerts", account),
    ("drawer", "alerts", drawer),
    ("editing", "alerts", editing),
    ("deleting", "alerts", deleting),
    ("shortcuts", "alerts", shortcuts),
    ("archive", "/archived/", None),
    ("list", "/conversations/", None),
    ("usage", "/workspace/usage/", None),
    ("usage-cost", "/workspace/usage/?span=7&by=user&measure=cost", table),
    ("budget", "/workspace/usage/budgets/add/", None),
    ("integrations", "/workspace/integrations/", None),
    ("integration", "/workspace/integrations/", key),
    ("integration-form", "/workspace/integrations/add/", unfolded),
    ("schedules", "/workspace/schedules/", None),
    ("schedule", "schedule", whole),
    ("schedule-form", "/workspace/schedules/add/", whole),
    ("schedule-refused", "/workspace/schedules/add/", refused),
    ("sources", "/workspace/sources/", None),
    ("source", "source", whole),
    ("source-refused", "source-refused", unfolded),
    ("source-kinds", "/workspace/sources/add/", None),
    ("source-form", "/workspace/sources/add/?kind=generic", refused),
    ("authenticators", "/workspace/authenticators/", None),
    ("authenticator", "authenticator", whole),
    ("authenticator-form", "/workspace/authenticators/add/?kind=jwt", refused),
    ("webhooks", "/workspace/webhooks/", None),
    ("webhook", "webhook", None),
    ("delivery", "delivery", whole),
    ("webhook-form", "/workspace/webhooks/add/", None),
    ("missing", "/no/such/page/", None),
    ("password", "/accounts/password/change/", None),
    ("second-factor", "/accounts/2fa/", None),
    ("sign-in", "!/accounts/login/", None),
    ("sign-up", "!/accounts/signup/", None),
    ("reset", "!/accounts/password/reset/", None),
)


def main(wanted: list[str]) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("shots: no Chromium on this machine")
    folder = ROOT / "shots"
    folder.mkdir(exist_ok=True)
    with running() as (url, places), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        session = signed_in(browser, url)
        for name, place, act in SCENES:
            if wanted and name not in wanted:
                continue
            address = url + places.get(place, place.lstrip("!"))
            for size, theme, page in windows(browser, None if place.startswith("!") else session):
                page.goto(address)
                page.wait_for_load_state("networkidle")
                if act:
                    act(page)
                page.wait_for_timeout(250)  # transitions
                page.screenshot(path=folder / f"{name}-{size}-{theme}.png")
            print(name)
        browser.close()


def windows(browser: Browser, session: StorageState | None) -> Iterator[tuple[str, str, Page]]:
    """An empty page of every size in both themes, one after the other."""
    for size, (width, height) in SIZES.items():
        for theme in THEMES:
            context = browser.new_context(
                storage_state=session,
                viewport={"width": width, "height": height},
                color_scheme=theme,
                is_mobile=size == "phone",
                has_touch=size == "phone",
            )
            yield size, theme, context.new_page()
            context.close()


def signed_in(browser: Browser, url: str) -> StorageState:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/accounts/login/")
    page.locator("[name=login]").fill(EMAIL)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{url}/")
    state = context.storage_state()
    context.close()
    return state


@contextmanager
def running() -> Iterator[tuple[str, dict[str, str]]]:
    """A server of our own with sample content; its address and the places in it."""
    data = tempfile.mkdtemp(prefix="chatcore-shots-")
    port = free_port()
    environment = os.environ | {
        "CHATCORE_DATA": data,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "PUBLIC_URL": "",
    }
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(f"{url}/readyz")
        words = ("--email", EMAIL, "--password", PASSWORD, "--workspace", "Acme", "--staff")
        manage(environment, "bootstrap", *words)
        yield url, json.loads(manage(environment, "shell", "-v", "0", "-c", FILL).splitlines()[-1])
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(data, ignore_errors=True)


def manage(environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")


if __name__ == "__main__":
    main(sys.argv[1:])
