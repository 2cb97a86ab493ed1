"""The web pages: what they show."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.realtime import cursors
from conversations.models import Conversation, Message
from tests.conversations.pages.browsing import HTMX, address, articles, ask, page_of, text
from tests.factories import make_conversation, make_key_principal


def test_a_new_chat_offers_models_starters_and_recent_conversations(
    owner: Principal, browser: Client
) -> None:
    make_conversation(owner, "Hello", title="Kyoto in four days")

    html = text(browser.get("/"))

    assert html.count('class="starter"') == 4
    assert '<option value="swift"' in html
    assert '<option value="deep"' in html
    assert html.count("Kyoto in four days") == 3, "in the list, its menu's label, and among the recent ones"


def test_a_starter_fills_the_composer_without_scripts(browser: Client) -> None:
    html = text(browser.get("/", {"prompt": "Compare <two> things"}))

    assert ">Compare &lt;two&gt; things</textarea>" in html


def test_the_first_message_starts_a_conversation(owner: Principal, browser: Client) -> None:
    response = browser.post("/", {"content": "One\r\ntwo", "model": "deep"})

    conversation = Conversation.objects.get()
    assert response["Location"] == page_of(conversation)
    assert conversation.owner == owner.user
    assert conversation.model is not None
    assert conversation.model.name == "deep"
    assert Message.objects.get(author="user").text == "One\ntwo"
    assert Message.objects.get(author="assistant").status == "queued"


def test_scripts_are_told_where_the_new_conversation_is(browser: Client) -> None:
    response = browser.post("/", {"content": "Hello"}, headers=HTMX)

    assert response.status_code == 201
    assert text(response) == page_of(Conversation.objects.get())


def test_a_refused_first_message_leaves_no_conversation_behind(browser: Client) -> None:
    response = browser.post("/", {"content": "   "})

    assert response.status_code == 422
    assert not Conversation.objects.exists()


def test_a_chat_shows_its_messages_and_where_the_live_connection_begins(
    owner: Principal, browser: Client
) -> None:
    before = cursors.now()
    conversation, _, _ = ask(owner, "Is <b>this</b> safe?", text="Yes, **it** is.")

    html = text(browser.get(page_of(conversation)))

    assert "Is &lt;b&gt;this&lt;/b&gt; safe?" in html
    assert "<p>Yes, <strong>it</strong> is.</p>" in html
    cursor = re.search(r'data-cursor="([^"]+)"', html)
    assert cursor
    assert cursors.decode(cursor[1]) >= before


def test_htmx_gets_the_middle_of_a_page_only(owner: Principal, browser: Client) -> None:
    conversation, _, _ = ask(owner)

    part = text(browser.get(page_of(conversation), headers=HTMX))
    back = text(browser.get(page_of(conversation), headers=HTMX | {"HX-History-Restore-Request": "true"}))

    assert "<html" not in part
    assert 'id="thread"' in part
    assert "<html" in back, "a page to go back to is whole"


def test_a_message_is_drawn_the_same_everywhere(owner: Principal, browser: Client) -> None:
    conversation, _, answer = ask(owner, text="# Title\n\n```python\nprint(1)\n```\n\n$x^2$", reasoning="Hm.")
    Message.objects.update(usage={"output_tokens": 12}, created_at=timezone.now() - timedelta(days=400))

    page = articles(text(browser.get(page_of(conversation))))
    alone = articles(text(browser.get(address("message", answer), headers=HTMX)))
    thread = articles(text(browser.get(reverse("messages", args=[conversation.id]), headers=HTMX)))

    assert page == thread
    assert alone == page[1:]


def test_the_answer_to_sending_is_what_a_reload_shows(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)

    answer = browser.post(
        page_of(conversation), {"content": "Why?", "client_id": str(uuid.uuid4())}, headers=HTMX
    )

    assert len(articles(text(answer))) == 2
    assert articles(text(answer)) == articles(text(browser.get(page_of(conversation))))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "queued"}, "Waiting for its turn"),
        ({"status": "streaming", "text": "So far"}, "<p>So far</p>"),
        ({"status": "stopped", "text": "Half"}, "Stopped here."),
        ({"status": "stopped", "text": ""}, "Stopped before the first word."),
        (
            {"status": "failed", "error": {"code": "overloaded", "detail": "It is <busy>."}},
            "It is &lt;busy&gt;.",
        ),
        ({"status": "failed", "error": None}, "could not be finished"),
        ({"text": ""}, "The answer is empty."),
        ({"finish_reason": "length"}, "length limit"),
        ({"finish_reason": "length"}, "/continue/"),
        ({"status": "stopped", "text": "Half"}, "/continue/"),
        ({"status": "failed", "text": "Half", "error": None}, "/continue/"),
        ({"finish_reason": "content_filter"}, "content filter"),
        ({"usage": {"output_tokens": 1204}}, "1,204 tokens"),
        ({"usage": {"output_tokens": 12, "estimated": True}}, "≈ 12 tokens"),
        (
            {"route": [{"provider": "A", "outcome": "timeout"}, {"provider": "B", "outcome": "answered"}]},
            "answered by B after A was unavailable",
        ),
        (
            {
                "model_name": "large",
                "model_label": "Large",
                "route": [
                    {"provider": "A", "model": "large", "outcome": "timeout"},
                    {"provider": "B", "model": "large", "outcome": "answered"},
                ],
            },
            "answered by B after A was unavailable",
        ),
        (
            {
                "model_name": "large",
                "route": [
                    {"provider": "A", "model": "large", "outcome": "busy"},
                    {"provider": "B", "model": "small", "outcome": "answered"},
                ],
            },
            "answered by small (B) as large (A) was busy",
        ),
    ],
)
def test_every_state_of_a_reply_is_said_in_words(
    owner: Principal, browser: Client, fields: dict[str, Any], words: str
) -> None:
    _, _, answer = ask(owner, **fields)

    assert words in text(browser.get(address("message", answer)))


@pytest.mark.parametrize("outcome", ["busy", "circuit_open"])
def test_one_that_answered_in_the_end_was_not_unavailable(
    owner: Principal, browser: Client, outcome: str
) -> None:
    first, then = ({"provider": "A", "model": "m", "outcome": each} for each in (outcome, "answered"))
    _, _, answer = ask(owner, model_name="m", route=[first, then])

    assert "answered by" not in text(browser.get(address("message", answer)))


def test_unknown_usage_is_not_shown_as_zero(owner: Principal, browser: Client) -> None:
    _, _, answer = ask(owner, usage={"input_tokens": 3, "output_tokens": None})

    assert "token" not in text(browser.get(address("message", answer)))


def test_what_came_from_outside_names_its_source(owner: Principal, browser: Client) -> None:
    outside = make_key_principal(owner, "conversations:write", "conversations:read", "messages:write")
    conversation = make_conversation(outside, "Disk **full**")

    html = text(browser.get(page_of(conversation)))

    assert outside.integration
    assert outside.integration.name in html
    assert "<strong>full</strong>" in html
    assert 'class="message integration"' in html


def test_the_newest_messages_come_with_the_page_and_earlier_ones_on_demand(
    owner: Principal, browser: Client
) -> None:
    conversation = make_conversation(owner, *(f"number {n}." for n in range(45)))

    page = text(browser.get(page_of(conversation)))
    earlier = re.search(r'id="older" href="[^"]+\?(above=[^"]+)"', page)
    assert earlier
    part = text(browser.get(f"{reverse('messages', args=[conversation.id])}?{earlier[1]}", headers=HTMX))
    whole = text(browser.get(f"{page_of(conversation)}?{earlier[1]}"))

    assert re.findall(r"number (\d+)\.</div>", page) == [str(n) for n in range(15, 45)]
    assert re.findall(r"number (\d+)\.</div>", part) == [str(n) for n in range(15)]
    assert re.findall(r"number (\d+)\.</div>", whole) == [str(n) for n in range(15)], "without scripts"
    assert 'id="older"' not in part


def test_the_text_of_a_message_can_be_copied_as_it_was_written(owner: Principal, browser: Client) -> None:
    _, _, answer = ask(owner, text="# *not* drawn <b>")

    response = browser.get(address("message_text", answer))

    assert text(response) == "# *not* drawn <b>"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
