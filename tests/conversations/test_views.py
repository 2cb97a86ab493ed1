"""The web pages: what they show, that they work as plain links and forms, and to whom they are open."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.realtime import cursors
from conversations import actions
from conversations.models import Conversation, Member, Message
from tests.factories import make_conversation, make_key_principal, make_model, make_principal, make_reply

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner() -> Principal:
    make_model("swift")
    make_model("deep")
    return make_principal()


@pytest.fixture
def browser(owner: Principal) -> Client:
    """The owner's browser; it knows no scripts unless a test sends HTMX."""
    return signed_in(owner)


def signed_in(principal: Principal) -> Client:
    client = Client()
    assert principal.user
    client.force_login(principal.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text(response: HttpResponse) -> str:
    return response.content.decode()


def page_of(conversation: Conversation) -> str:
    return reverse("chat", args=[conversation.id])


def address(name: str, message: Message) -> str:
    return reverse(name, args=[message.conversation_id, message.id])


def articles(html: str) -> list[str]:
    """The messages in a page, drawn; the empty bubble that scripts fill is none."""
    return re.findall(r"<article [^>]*data-message.*?</article>", html, re.DOTALL)


def ask(owner: Principal, said: str = "Why?", **reply: Any) -> tuple[Conversation, Message, Message]:
    """A conversation of one question and its finished reply."""
    conversation = make_conversation(owner, said)
    question = conversation.active_leaf
    answer = make_reply(owner, conversation, **reply)
    return conversation, question, answer


# --- Pages ---------------------------------------------------------------------------------------------------


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
        ({"finish_reason": "content_filter"}, "content filter"),
        ({"usage": {"output_tokens": 1204}}, "1,204 tokens"),
        ({"usage": {"output_tokens": 12, "estimated": True}}, "≈ 12 tokens"),
        (
            {"route": [{"provider": "A", "outcome": "timeout"}, {"provider": "B", "outcome": "answered"}]},
            "answered by B after A was unavailable",
        ),
    ],
)
def test_every_state_of_a_reply_is_said_in_words(
    owner: Principal, browser: Client, fields: dict[str, Any], words: str
) -> None:
    _, _, answer = ask(owner, **fields)

    assert words in text(browser.get(address("message", answer)))


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


# --- Forms without scripts -------------------------------------------------------------------------------------


def test_sending_returns_to_the_new_message(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)

    response = browser.post(page_of(conversation), {"content": "Hello", "model": "deep"})

    message = Message.objects.get(author="user")
    assert response["Location"] == f"{page_of(conversation)}#m-{message.id}"
    conversation.refresh_from_db()
    assert conversation.model is not None
    assert conversation.model.name == "deep", "the model chosen in the composer answers from now on"


def test_an_edit_shows_its_form_and_makes_another_branch(owner: Principal, browser: Client) -> None:
    conversation, question, _ = ask(owner, "Why?")

    form = text(browser.get(address("edit_message", question)))
    browser.post(address("edit_message", question), {"content": "Why not?"})

    assert ">Why?</textarea>" in form
    assert "hx-post" not in form.partition('class="edit"')[2].partition("</form>")[0]
    page = text(browser.get(page_of(conversation)))
    assert "Why not?" in page
    assert "2/2" in page


def test_a_reply_is_regenerated_by_another_model(owner: Principal, browser: Client) -> None:
    conversation, _, answer = ask(owner)

    form = text(browser.get(address("regenerate_reply", answer)))
    browser.post(address("regenerate_reply", answer), {"model": "deep"})

    assert '<option value="deep"' in form
    conversation.refresh_from_db()
    assert conversation.active_leaf.model_label == "Deep"
    assert conversation.active_leaf.parent == answer.parent


def test_a_failed_reply_is_tried_again(owner: Principal, browser: Client) -> None:
    _, _, answer = ask(owner, status="failed", text="Half")

    browser.post(address("retry_reply", answer))

    answer.refresh_from_db()
    assert (answer.status, answer.text) == ("queued", "")


def test_a_queued_reply_is_stopped(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)
    posted = actions.post_message(owner, conversation.id, text="Hello")
    assert posted.reply

    browser.post(address("stop_reply", posted.reply))

    posted.reply.refresh_from_db()
    assert posted.reply.status == "stopped"


def test_branch_arrows_step_between_versions(owner: Principal, browser: Client) -> None:
    conversation, question, _ = ask(owner, "First")
    actions.edit_message(owner, question.id, text="Second")

    browser.post(address("choose_branch", question), {"step": "-1"})
    first = text(browser.get(page_of(conversation)))
    browser.post(address("choose_branch", question), {"step": "1"})
    second = text(browser.get(page_of(conversation)))

    assert "1/2" in first
    assert "2/2" in second
    assert "Second</div>" in second


def test_deleting_a_message_asks_first_and_says_what_goes_with_it(owner: Principal, browser: Client) -> None:
    conversation, question, _ = ask(owner)

    form = text(browser.get(address("delete_message", question)))
    assert Message.objects.count() == 2
    browser.post(address("delete_message", question))

    assert "The message below it goes with it" in form
    assert not Message.objects.filter(conversation=conversation).exists()


def test_a_conversation_is_renamed_pinned_and_archived(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner, "Hello")
    member = Member.objects.get()

    def post(name: str, **data: str) -> None:
        response = browser.post(reverse(name, args=[conversation.id]), data)
        assert response["Location"] == page_of(conversation)
        member.refresh_from_db()
        conversation.refresh_from_db()

    post("rename_conversation", title="Another name")
    assert conversation.title == "Another name"
    post("pin")
    assert member.pinned
    post("unpin")
    assert not member.pinned
    post("archive")
    assert member.archived_at
    post("unarchive")
    assert member.archived_at is None
    post("choose_model", model="deep")
    assert conversation.model is not None
    assert conversation.model.name == "deep"


def test_deleting_a_conversation_asks_first(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner, "Hello", title="Old plans")
    url = reverse("delete_conversation", args=[conversation.id])

    form = text(browser.get(url))
    response = browser.post(url)

    assert "“Old plans”" in form
    assert response["Location"] == "/"
    assert not Conversation.objects.exists()


def test_htmx_hears_of_changes_as_the_live_connection_tells_them(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner, "Hello")

    response = browser.post(reverse("archive", args=[conversation.id]), headers=HTMX)

    assert response.status_code == 204
    news = response.headers["HX-Trigger"]
    assert '"live:conversation.updated"' in news
    assert str(conversation.id) in news
    assert reverse("unarchive", args=[conversation.id]) in news, "an undo goes with it"


# --- The list ----------------------------------------------------------------------------------------------------


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


# --- Doors -------------------------------------------------------------------------------------------------------

CONVERSATION_PAGES = ("chat", "chat_bar", "conversation_row", "conversation_options", "messages")
CONVERSATION_FORMS = ("rename_conversation", "delete_conversation")
CONVERSATION_POSTS = ("chat", "pin", "unpin", "archive", "unarchive", "choose_model", *CONVERSATION_FORMS)
MESSAGE_PAGES = ("message", "message_text")
MESSAGE_FORMS = ("edit_message", "regenerate_reply", "delete_message")
MESSAGE_POSTS = ("retry_reply", "stop_reply", "choose_branch", *MESSAGE_FORMS)


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
