"""The list of conversations."""

import re
import uuid
from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.models import Conversation, Member, Message
from tests.conversations.pages.browsing import HTMX, address, ask, text
from tests.factories import make_conversation, make_reply


def moved(conversation: Conversation, **ago: float) -> Conversation:
    Member.objects.filter(conversation=conversation).update(last_message_at=timezone.now() - timedelta(**ago))
    return conversation


def headings(html: str) -> list[str]:
    return re.findall(r'<h2 class="list-group"[^>]*>([^<]+)</h2>', html)


def titles(html: str) -> list[str]:
    return re.findall(r"data-title>([^<]+)<", html)


def test_the_list_is_grouped_by_day_with_the_pinned_first(owner: Principal, browser: Client) -> None:
    moved(make_conversation(owner, title="now"), seconds=1)
    moved(make_conversation(owner, title="last week"), days=5)
    moved(make_conversation(owner, title="long ago"), days=800)
    pinned = moved(make_conversation(owner, title="dear"), days=90)
    actions.pin_conversation(owner, pinned.id)

    html = text(browser.get(reverse("conversations"), headers=HTMX))

    assert headings(html)[:3] == ["Pinned", "Today", "Previous 7 days"]
    assert re.fullmatch(r"[A-Z][a-z]+ 20\d\d", headings(html)[3])
    assert titles(html) == ["dear", "now", "last week", "long ago"]


def test_days_begin_where_the_reader_is(owner: Principal, browser: Client) -> None:
    """At any moment it is another day in Kiribati (UTC+14) than on Niue (UTC-11)."""
    moved(make_conversation(owner, title="now"), seconds=1)
    message = make_reply(owner, make_conversation(owner, "Hello"))

    def shown(zone: str) -> str:
        browser.cookies["timezone"] = zone
        found = re.search(r'<time datetime="(\S+)T', text(browser.get(address("message", message))))
        assert found
        return found[1]

    assert shown("Pacific/Kiritimati") > shown("Pacific/Niue")
    assert shown("../../etc/passwd") == shown("UTC")


def test_a_long_list_goes_on_by_position_under_the_same_heading(owner: Principal, browser: Client) -> None:
    for number in range(45):
        moved(make_conversation(owner, title=f"chat {number}"), days=3, minutes=number)

    first = text(browser.get(reverse("conversations"), headers=HTMX))
    more = re.search(r'class="list-more" href="([^"]+)"', first)
    assert more
    second = text(browser.get(more[1].replace("&amp;", "&"), headers=HTMX))

    assert titles(first) + titles(second) == [f"chat {number}" for number in range(45)]
    assert headings(second) == []
    assert "list-more" not in second


def test_a_position_nobody_gave_out_finds_nothing(browser: Client) -> None:
    for after in ("x", "_", "2026-01-01_5", f"2026-01-01T00:00:00_{uuid.uuid4()}", f"9999999_{uuid.uuid4()}"):
        response = browser.get(reverse("conversations"), {"after": after}, headers=HTMX)
        assert response.status_code == 200
        assert titles(text(response)) == []


def test_the_list_is_filtered_by_title(owner: Principal, browser: Client) -> None:
    make_conversation(owner, title="Kyoto in four days")
    make_conversation(owner, title="100% cotton")

    found = text(browser.get(reverse("conversations"), {"q": "kyOTO"}, headers=HTMX))
    literal = text(browser.get(reverse("conversations"), {"q": "%"}, headers=HTMX))
    nothing = text(browser.get(reverse("conversations"), {"q": "<Osaka>"}, headers=HTMX))

    assert titles(found) == ["Kyoto in four days"]
    assert titles(literal) == ["100% cotton"]
    assert "No title contains “&lt;Osaka&gt;”." in nothing


def test_the_archive_has_a_page_of_its_own(owner: Principal, browser: Client) -> None:
    gone = make_conversation(owner, title="Put away")
    actions.archive_conversation(owner, gone.id)
    make_conversation(owner, title="Still here")

    page = text(browser.get(reverse("archived")))
    middle = page.partition('<main id="main"')[2]

    assert titles(middle) == ["Put away"]
    assert titles(page.partition('<main id="main"')[0]) == ["Still here"]


def test_a_row_comes_with_its_heading_and_says_whether_a_reply_runs(
    owner: Principal, browser: Client
) -> None:
    conversation, _, answer = ask(owner)
    url = reverse("conversation_row", args=[conversation.id])

    quiet = text(browser.get(url))
    Message.objects.filter(id=answer.id).update(status="streaming")
    running = text(browser.get(url))
    actions.archive_conversation(owner, conversation.id)

    assert headings(quiet) == ["Today"]
    assert "data-running" not in quiet
    assert "data-running" in running
    assert text(browser.get(url)).strip() == "", "what is archived is not in the open list"
