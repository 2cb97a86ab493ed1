"""Replies that wait side by side for one of them to be chosen, as the pages draw them."""

import re
import uuid

from django.test import Client
from django.urls import reverse

from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.models import Comparison, Conversation, Message
from tests.conversations.pages.browsing import HTMX, address, articles, page_of, text
from tests.factories import make_comparison, make_conversation


def compared(owner: Principal) -> tuple[Conversation, list[Message]]:
    conversation = make_conversation(owner, "Which one?")
    assert conversation.active_leaf
    replies = make_comparison(conversation, conversation.active_leaf)
    conversation.active_leaf = replies[0]
    conversation.save()
    return conversation, replies


def columns(html: str) -> list[str]:
    """The messages that stand side by side."""
    return [
        article
        for part in re.findall(r"<section.*?</section>", html, re.DOTALL)
        for article in articles(part)
    ]


def test_an_open_comparison_is_drawn_as_columns_the_same_everywhere(
    owner: Principal, browser: Client
) -> None:
    conversation, replies = compared(owner)

    page = text(browser.get(page_of(conversation)))

    assert len(columns(page)) == 2
    assert [text(browser.get(address("message", reply))).strip() for reply in replies] == columns(page)
    assert columns(text(browser.get(reverse("messages", args=[conversation.id])))) == columns(page)
    assert page.count("Choose this one") == 2
    assert "1/2" not in page


def test_a_plain_form_compares_and_chooses(owner: Principal, browser: Client) -> None:
    browser.post("/", {"content": "Which one?", "models": ["swift", "deep"]})
    conversation = Conversation.objects.get()
    _, right = Message.objects.filter(author="assistant").order_by("id")
    assert len(columns(text(browser.get(page_of(conversation))))) == 2

    assert browser.post(address("choose_reply", right)).status_code == 302

    assert Comparison.objects.get().chosen == right
    page = text(browser.get(page_of(conversation)))
    assert columns(page) == []
    assert "preferred" in articles(page)[-1]
    assert "2/2" in articles(page)[-1]


def test_the_answer_to_sending_is_the_message_and_its_columns(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)
    fields = {"content": "Which one?", "client_id": str(uuid.uuid4()), "models": ["swift", "deep"]}

    answer = text(browser.post(page_of(conversation), fields, headers=HTMX))

    page = text(browser.get(page_of(conversation)))
    assert (articles(answer), columns(answer)) == (articles(page), columns(page))
    assert (len(articles(answer)), len(columns(answer))) == (3, 2)


def test_one_model_marked_alone_is_refused_in_words(browser: Client) -> None:
    answer = browser.post("/", {"content": "Which one?", "models": ["swift"]}, headers=HTMX)

    assert answer.status_code == 422
    assert "2 to 4 models" in text(answer)
    assert not Conversation.objects.exists()


def test_another_version_of_what_was_chosen_can_be_chosen_instead(owner: Principal, browser: Client) -> None:
    conversation, (left, right) = compared(owner)
    actions.choose_reply(owner, left.id)

    actions.choose_branch(owner, left.id, step=1)

    page = text(browser.get(page_of(conversation)))
    assert columns(page) == []
    assert "Choose this one instead" in page
    assert address("choose_reply", right) in page


def test_a_comparison_that_was_gone_on_from_is_one_of_two_versions(owner: Principal, browser: Client) -> None:
    conversation, _ = compared(owner)
    actions.post_message(owner, conversation.id, text="And on", respond=False)

    page = text(browser.get(page_of(conversation)))

    assert columns(page) == []
    assert "1/2" in page
