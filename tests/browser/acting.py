"""What a person does on the pages."""

from collections.abc import Callable

import httpx
from playwright.sync_api import Locator, Page, expect

PICKER = "[data-models-list]"
FRAME_IS_KEPT = "() => caches.open('chatcore-pages').then((kept) => kept.match('/?frame')).then(Boolean)"


def choose_model(page: Page, label: str) -> None:
    page.locator("[data-pick]").click()
    page.locator(PICKER).get_by_role("option", name=label, exact=True).click()
    expect(page.locator("[data-model-label]")).to_have_text(label)


def send(page: Page, text: str, model: str = "") -> None:
    if model:
        choose_model(page, model)
    composer(page).fill(text)
    composer(page).press("Enter")


def composer(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def chat(page: Page, text: str, model: str) -> str:
    """Start a conversation; returns its path once its first message is there."""
    send(page, text, model)
    expect(messages(page).first).to_contain_text(text)
    return page.url


def messages(page: Page) -> Locator:
    return page.locator(".message")


def last(page: Page) -> Locator:
    return page.locator(".message:last-of-type")


def expect_done(page: Page, text: str) -> None:
    """The last reply has ended and says this."""
    expect(last(page)).to_have_attribute("data-status", "done")
    expect(last(page).locator("[data-body]")).to_contain_text(text)


def until(page: Page, condition: str, argument: object = None) -> None:
    """Waits for a condition in JavaScript. Playwright's own way needs `eval`, which the pages forbid."""
    wait_for(page, lambda: page.evaluate(condition, argument), condition)


def wait_for(page: Page, condition: Callable[[], object], what: object = "it never came true") -> None:
    """While the browser goes on, until the condition holds."""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError(what)


def drawn(page: Page) -> list[str]:
    """The messages of the thread as markup."""
    found: list[str] = page.locator("#thread .message").evaluate_all("all => all.map((one) => one.outerHTML)")
    return found


def row(page: Page, title: str) -> Locator:
    return page.locator("#side .row-line", has_text=title).first


def row_of(page: Page, url: str) -> Locator:
    return page.locator(f'#list [data-row="{conversation_of(url)}"]')


def conversation_of(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


def ask(client: httpx.Client, url: str, text: str) -> None:
    """The owner asks elsewhere, and the answer is there."""
    answer = client.post(
        f"/api/v1/conversations/{conversation_of(url)}/replies",
        json={"content": text},
        headers={"Prefer": "wait=20"},
    )
    assert answer.status_code in (200, 202), answer.text
