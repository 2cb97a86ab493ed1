"""What people and systems do to conversations, and who may."""

import uuid

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, Forbidden, Invalid, NotFound
from chatcore.realtime.models import Event
from conversations import actions
from conversations.actions import Posted
from conversations.errors import AlreadyFinished, NoModel, NotAReply, NotEditable, NothingSaid, StillRunning
from conversations.models import Conversation, Member, Message
from tests.factories import make_conversation, make_key_principal, make_model, make_principal, make_reply

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    make_model()
    return make_principal()


def event_types(conversation: Conversation) -> list[str]:
    return list(
        Event.objects.filter(conversation_id=conversation.id).order_by("id").values_list("type", flat=True)
    )


def ask(owner: Principal, text: str = "Hello") -> tuple[Conversation, Posted]:
    conversation = actions.start_conversation(owner)
    posted = actions.post_message(owner, conversation.id, text=text)
    conversation.refresh_from_db()
    return conversation, posted


def test_a_posted_message_is_stored_with_its_queued_reply_events_and_job(owner: Principal) -> None:
    conversation, posted = ask(owner, "What is **new**?")

    assert posted.message.text == "What is **new**?"
    assert posted.reply is not None
    assert posted.reply.status == Message.Status.QUEUED
    assert posted.reply.parent == posted.message
    assert conversation.active_leaf == posted.reply
    assert event_types(conversation) == ["conversation.created", "message.created", "reply.queued"]
    assert ProcrastinateJob.objects.get().args == {"reply_id": str(posted.reply.id)}


def test_the_first_message_drafts_the_title_and_a_given_title_stays(owner: Principal) -> None:
    drafted, _ = ask(owner, "## Plan a trip to Kyoto\nfour days")
    given = make_conversation(owner, "Plan a trip", title="Kyoto")

    assert drafted.title == "Plan a trip to Kyoto"
    assert given.title == "Kyoto"


def test_the_same_client_id_is_stored_once(owner: Principal) -> None:
    conversation = actions.start_conversation(owner)
    client_id = uuid.uuid4()

    first = actions.post_message(owner, conversation.id, text="Once", client_id=client_id)
    second = actions.post_message(owner, conversation.id, text="Once", client_id=client_id)

    assert second.repeated
    assert (second.message, second.reply) == (first.message, first.reply)
    assert Message.objects.count() == 2


def test_editing_adds_a_sibling_and_keeps_the_old_branch(owner: Principal) -> None:
    conversation, first = ask(owner, "Teh question")
    edited = actions.edit_message(owner, first.message.id, text="The question")

    branch = Message.objects.branch(edited.reply and edited.reply.id)
    assert [message.text for message in branch] == ["The question", ""]
    assert (branch[0].sibling_number, branch[0].sibling_count) == (2, 2)

    actions.choose_branch(owner, edited.message.id, step=-1)
    conversation.refresh_from_db()
    assert conversation.active_leaf == first.reply


def test_regenerating_puts_another_reply_beside_the_first(owner: Principal) -> None:
    conversation = make_conversation(owner, "Question")
    old = make_reply(owner, conversation)

    new = actions.regenerate_reply(owner, old.id)

    assert new.parent == old.parent
    conversation.refresh_from_db()
    assert conversation.active_leaf == new


def test_stopping_a_waiting_reply_ends_it_at_once(owner: Principal) -> None:
    conversation, posted = ask(owner)
    assert posted.reply

    stopped = actions.stop_reply(owner, posted.reply.id)

    assert stopped.status == Message.Status.STOPPED
    assert event_types(conversation)[-1] == "reply.stopped"


def test_stopping_a_finished_reply_changes_nothing(owner: Principal) -> None:
    conversation = make_conversation(owner, "Question")
    reply = make_reply(owner, conversation)

    assert actions.stop_reply(owner, reply.id).status == Message.Status.DONE
    assert "reply.stopped" not in event_types(conversation)


def test_a_failed_reply_is_retried_in_its_place(owner: Principal) -> None:
    conversation = make_conversation(owner, "Question")
    failed = make_reply(
        owner, conversation, status=Message.Status.FAILED, text="Half", error={"code": "timeout"}
    )

    retried = actions.retry_reply(owner, failed.id)

    assert retried.id == failed.id
    assert (retried.status, retried.text, retried.error) == (Message.Status.QUEUED, "", None)


def test_a_complete_or_running_reply_is_not_retried(owner: Principal) -> None:
    conversation = make_conversation(owner, "Question")
    with pytest.raises(AlreadyFinished):
        actions.retry_reply(owner, make_reply(owner, conversation).id)
    with pytest.raises(StillRunning):
        actions.retry_reply(owner, make_reply(owner, conversation, status=Message.Status.STREAMING).id)


@pytest.mark.parametrize(
    "broken_off", [{"status": "failed"}, {"status": "stopped"}, {"status": "done", "finish_reason": "length"}]
)
def test_a_reply_that_broke_off_is_continued_in_its_place(
    owner: Principal, broken_off: dict[str, str]
) -> None:
    reply = make_reply(owner, make_conversation(owner, "Question"), text="Half", **broken_off)

    continued = actions.continue_reply(owner, reply.id)

    assert continued.id == reply.id
    assert (continued.status, continued.text) == (Message.Status.QUEUED, "Half"), "what it said stays"
    with pytest.raises(StillRunning):
        actions.continue_reply(owner, reply.id)


def test_there_must_be_something_to_continue(owner: Principal) -> None:
    conversation = make_conversation(owner, "Question")
    with pytest.raises(AlreadyFinished):
        actions.continue_reply(owner, make_reply(owner, conversation).id)
    with pytest.raises(NothingSaid):
        actions.continue_reply(owner, make_reply(owner, conversation, status="stopped", text=" ").id)


def test_a_user_message_is_no_reply_and_a_reply_is_not_edited(owner: Principal) -> None:
    conversation = make_conversation(owner, "Question")
    reply = make_reply(owner, conversation)
    assert reply.parent_id
    with pytest.raises(NotAReply):
        actions.stop_reply(owner, reply.parent_id)
    with pytest.raises(NotEditable):
        actions.edit_message(owner, reply.id, text="No")


def test_deleting_a_message_takes_what_is_below_and_leaves_the_reader_at_the_end_of_the_rest(
    owner: Principal,
) -> None:
    conversation = make_conversation(owner, "One", "Two", "Three")
    second = Message.objects.get(text="Two")

    actions.delete_message(owner, second.id)

    conversation.refresh_from_db()
    assert list(Message.objects.values_list("text", flat=True)) == ["One"]
    assert conversation.active_leaf is not None
    assert conversation.active_leaf.text == "One"


def test_a_running_reply_keeps_its_branch_from_being_deleted(owner: Principal) -> None:
    _, posted = ask(owner)
    with pytest.raises(StillRunning):
        actions.delete_message(owner, posted.message.id)


def test_deleting_a_conversation_leaves_only_the_news_of_it(owner: Principal) -> None:
    conversation, _ = ask(owner)

    actions.delete_conversation(owner, conversation.id)

    assert not Conversation.objects.exists()
    assert not Message.objects.exists()
    assert event_types(conversation) == ["conversation.deleted"]


def test_archive_and_pin_change_the_readers_own_list(owner: Principal) -> None:
    conversation = make_conversation(owner)
    actions.pin_conversation(owner, conversation.id)
    actions.archive_conversation(owner, conversation.id)

    member = Member.objects.get()
    assert member.pinned
    assert member.archived_at
    assert not Member.objects.for_principal(owner).open().exists()

    actions.unarchive_conversation(owner, conversation.id)
    assert Member.objects.for_principal(owner).open().exists()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("a" * 32_001, "too_long"),
        ("a\x00b", "nul"),
        ("\ud800", "surrogate"),
    ],
)
def test_text_that_cannot_be_kept_is_refused_and_nothing_is_stored(
    owner: Principal, text: str, code: str
) -> None:
    conversation = make_conversation(owner)
    with pytest.raises(Invalid) as refused:
        actions.post_message(owner, conversation.id, text=text)
    assert (refused.value.errors[0].pointer, refused.value.errors[0].code) == ("/content", code)
    assert not Message.objects.exists()


def test_an_unknown_model_or_parent_is_named(owner: Principal) -> None:
    conversation = make_conversation(owner)
    other = make_conversation(owner, "Elsewhere")
    with pytest.raises(Invalid) as refused:
        actions.post_message(owner, conversation.id, text="Hello", model="gpt-99")
    assert refused.value.errors[0].pointer == "/model"
    with pytest.raises(Invalid) as refused:
        actions.post_message(owner, conversation.id, text="Hello", parent=other.active_leaf_id)
    assert refused.value.errors[0].pointer == "/parent"


def test_without_any_model_the_message_is_refused() -> None:
    owner = make_principal()
    conversation = make_conversation(owner)
    with pytest.raises(NoModel):
        actions.post_message(owner, conversation.id, text="Hello")


ACTS = {
    "post": lambda who, c, m: actions.post_message(who, c.id, text="Hello"),
    "rename": lambda who, c, m: actions.rename_conversation(who, c.id, "Mine"),
    "archive": lambda who, c, m: actions.archive_conversation(who, c.id),
    "pin": lambda who, c, m: actions.pin_conversation(who, c.id),
    "delete": lambda who, c, m: actions.delete_conversation(who, c.id),
    "edit": lambda who, c, m: actions.edit_message(who, m.parent_id, text="Mine"),
    "branch": lambda who, c, m: actions.choose_branch(who, m.id),
    "delete message": lambda who, c, m: actions.delete_message(who, m.id),
    "stop": lambda who, c, m: actions.stop_reply(who, m.id),
    "retry": lambda who, c, m: actions.retry_reply(who, m.id),
    "continue": lambda who, c, m: actions.continue_reply(who, m.id),
    "regenerate": lambda who, c, m: actions.regenerate_reply(who, m.id),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("who", ["teammate", "stranger", "owner elsewhere"])
def test_to_everybody_but_its_members_a_conversation_does_not_exist(
    owner: Principal, act: str, who: str
) -> None:
    conversation = make_conversation(owner, "Secret")
    reply = make_reply(owner, conversation, status=Message.Status.FAILED)
    before = Event.objects.count()
    asker = {
        "teammate": lambda: make_principal(workspace=owner.workspace),
        "stranger": make_principal,
        "owner elsewhere": lambda: make_principal(user=owner.user),
    }[who]()

    with pytest.raises(NotFound):
        ACTS[act](asker, conversation, reply)
    assert Event.objects.count() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_key_without_the_grant_may_not(owner: Principal, act: str) -> None:
    conversation = make_conversation(owner, "Secret")
    reply = make_reply(owner, conversation, status=Message.Status.FAILED)
    reader = make_key_principal(owner, "conversations:read", "messages:read", "models:read")
    with pytest.raises(Forbidden):
        ACTS[act](reader, conversation, reply)


def test_a_key_for_one_conversation_does_not_see_the_others(owner: Principal) -> None:
    mine, other = make_conversation(owner), make_conversation(owner)
    key = make_key_principal(
        owner, f"conversations:read:{mine.id}", f"messages:write:{mine.id}", "models:use:*"
    )

    assert list(Conversation.objects.for_principal(key)) == [mine]
    assert actions.post_message(key, mine.id, text="Hello").message.author == Message.Author.INTEGRATION
    with pytest.raises(ChatcoreError):
        actions.post_message(key, other.id, text="Hello")
