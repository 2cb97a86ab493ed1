"""To whom the pages are open, how they refuse, and what they cost."""

import uuid

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.models import Message
from tests.conversations.pages.browsing import HTMX, address, ask, page_of, signed_in, text
from tests.factories import make_conversation, make_key_principal, make_principal, make_reply

CONVERSATION_PAGES = (
    "chat",
    "chat_bar",
    "conversation_row",
    "conversation_options",
    "messages",
    "parameters_mark",
)
CONVERSATION_FORMS = ("rename_conversation", "delete_conversation", "parameters")
CONVERSATION_POSTS = ("chat", "pin", "unpin", "archive", "unarchive", "choose_model", *CONVERSATION_FORMS)
MESSAGE_PAGES = ("message", "message_text")
MESSAGE_FORMS = ("edit_message", "regenerate_reply", "delete_message")
MESSAGE_POSTS = (
    "retry_reply",
    "continue_reply",
    "stop_reply",
    "choose_reply",
    "choose_branch",
    *MESSAGE_FORMS,
)


def test_nobody_reaches_another_persons_conversation(owner: Principal, browser: Client) -> None:
    conversation, question, answer = ask(owner)
    absent = uuid.uuid4()
    teammate = signed_in(make_principal(workspace=owner.workspace))
    stranger = signed_in(make_principal())
    data = {"content": "x", "title": "x", "step": "1", "model": "deep"}
    foreign = [
        *(("get", reverse(name, args=[conversation.id])) for name in CONVERSATION_PAGES + CONVERSATION_FORMS),
        *(("post", reverse(name, args=[conversation.id])) for name in CONVERSATION_POSTS),
        *(("get", address(name, answer)) for name in MESSAGE_PAGES + MESSAGE_FORMS),
        *(("post", address(name, answer)) for name in MESSAGE_POSTS),
        ("post", address("edit_message", question)),
    ]

    for client in (teammate, stranger):
        for method, url in foreign:
            response = getattr(client, method)(url, data)
            nothing = getattr(client, method)(url.replace(str(conversation.id), str(absent)), data)
            assert response.status_code == 404, (method, url)
            assert text(response) == text(nothing), "a foreign thing is as absent as one that never was"

    assert Message.objects.count() == 2
    assert browser.get(page_of(conversation)).status_code == 200


def test_a_message_is_found_only_under_its_own_conversation(owner: Principal, browser: Client) -> None:
    _, _, answer = ask(owner)
    other = make_conversation(owner)

    for name in (*MESSAGE_PAGES, *MESSAGE_FORMS):
        assert browser.get(reverse(name, args=[other.id, answer.id])).status_code == 404
    assert browser.get(reverse("messages", args=[other.id]), {"above": str(answer.id)}).status_code == 404


def test_the_lists_hold_ones_own_conversations_only(owner: Principal) -> None:
    make_conversation(owner, title="Mine alone")
    teammate = signed_in(make_principal(workspace=owner.workspace))

    assert "Mine alone" not in text(teammate.get("/"))
    assert "Mine alone" not in text(teammate.get(reverse("conversations"), {"q": "Mine"}))


def test_without_a_session_every_page_leads_to_signing_in(owner: Principal) -> None:
    conversation = make_conversation(owner)

    page = Client().get(page_of(conversation))
    part = Client().get(page_of(conversation), headers=HTMX)

    assert page["Location"].startswith("/accounts/login/")
    assert part["HX-Redirect"].startswith("/accounts/login/")


def test_a_missing_page_is_a_page(browser: Client) -> None:
    response = browser.get("/no/such/place/")

    assert response.status_code == 404
    assert "Nothing here" in text(response)


def test_htmx_gets_a_problem_in_a_sentence(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)

    response = browser.post(page_of(conversation), {"content": "x" * 32_001}, headers=HTMX)

    assert response.status_code == 422
    assert "<html" not in text(response)
    assert "at most 32,000" in text(response)


# --- Cost ----------------------------------------------------------------------------------------------------------


def queries_of(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_a_long_list_costs_as_many_queries_as_a_short_one(owner: Principal, browser: Client) -> None:
    make_conversation(owner, "Hello")
    few = queries_of(browser, "/")
    for _ in range(30):
        _, _, answer = ask(owner)
        Message.objects.filter(id=answer.id).update(status="streaming")

    assert queries_of(browser, "/") == few


def test_a_long_thread_costs_as_many_queries_as_a_short_one(owner: Principal, browser: Client) -> None:
    outside = make_key_principal(owner, "conversations:write", "conversations:read", "messages:write")
    conversation = make_conversation(outside, "Alert")
    make_reply(owner, conversation)
    few = queries_of(browser, page_of(conversation))
    for number in range(20):
        actions.post_message(outside, conversation.id, text=f"Alert {number}", respond=False)
        conversation.refresh_from_db()
        make_reply(owner, conversation)

    assert queries_of(browser, page_of(conversation)) == few
