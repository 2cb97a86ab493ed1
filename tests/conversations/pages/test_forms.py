"""What is done on the pages works as plain forms, without scripts."""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.models import Conversation, Member, Message
from tests.conversations.files import picture
from tests.conversations.pages.browsing import HTMX, address, ask, page_of, text
from tests.factories import make_conversation


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
    assert conversation.active_leaf
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


def test_a_file_goes_with_the_form_that_sends_the_message(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)
    picked = SimpleUploadedFile("plan.md", b"# Plan"), SimpleUploadedFile("dot.png", picture())

    browser.post(page_of(conversation), {"content": "Look", "files": picked})

    page = text(browser.get(page_of(conversation)))
    assert 'download="plan.md"' in page
    assert 'alt="dot.png" width="40" height="20"' in page
    refused = browser.post(
        page_of(conversation), {"content": "Look", "files": SimpleUploadedFile("a.txt", b"")}
    )
    assert refused.status_code == 422
    assert Message.objects.filter(author="user").count() == 1


def test_an_edited_message_shows_its_files_again(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)
    browser.post(
        page_of(conversation), {"content": "Look", "files": SimpleUploadedFile("plan.md", b"# Plan")}
    )
    question = Message.objects.get(author="user")

    browser.post(address("edit_message", question), {"content": "Look again"})

    page = text(browser.get(page_of(conversation)))
    assert "Look again" in page
    assert page.count('download="plan.md"') == 1
