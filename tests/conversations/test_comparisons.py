"""One message, several models: what is stored and told, which reply is chosen, and what becomes of that."""

import uuid
from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid, NotFound
from chatcore.llm.models import Model
from chatcore.realtime.models import Event
from conversations import actions
from conversations.actions import Posted
from conversations.claims import claim_replies
from conversations.errors import NotCompared
from conversations.models import Comparison, Conversation, Member, Message
from tests.factories import (
    make_comparison,
    make_conversation,
    make_key_principal,
    make_model,
    make_principal,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    for name in ("swift", "deep", "wide", "dear", "odd"):
        make_model(name)
    return make_principal()


def compare(owner: Principal, *models: str, **wishes: Any) -> tuple[Conversation, Posted]:
    conversation = actions.start_conversation(owner)
    posted = actions.post_message(
        owner, conversation.id, text="Which one?", models=models or ("swift", "deep"), **wishes
    )
    conversation.refresh_from_db()
    return conversation, posted


def told(conversation: Conversation) -> list[Event]:
    return list(Event.objects.filter(conversation_id=conversation.id).order_by("id"))


def test_every_model_is_asked_at_once(owner: Principal) -> None:
    conversation, posted = compare(owner, "swift", "deep", "wide")

    assert [reply.model_name for reply in posted.replies] == ["swift", "deep", "wide"]
    assert {reply.parent for reply in posted.replies} == {posted.message}
    assert conversation.active_leaf == posted.reply
    assert [event.type for event in told(conversation)] == [
        "conversation.created",
        "message.created",
        *["reply.queued"] * 3,
    ]
    assert ProcrastinateJob.objects.get().args == {"reply_id": str(posted.replies[0].id)}
    assert [reply.id for reply in posted.replies] == sorted(reply.id for reply in posted.replies)
    assert {claim.id for claim in claim_replies(10)} == {reply.id for reply in posted.replies}


def test_an_edited_message_is_compared_again_by_those_that_still_can(owner: Principal) -> None:
    _, posted = compare(owner, "swift", "deep", "wide")
    Model.objects.filter(name="swift").update(enabled=False)

    edited = actions.edit_message(owner, posted.message.id, text="Which one, then?")
    again = actions.edit_message(owner, edited.message.id, text="By one", model="odd")

    assert [reply.model_name for reply in edited.replies] == ["deep", "wide"]
    assert Comparison.objects.filter(message=edited.message, chosen=None).exists()
    assert Comparison.objects.filter(message=posted.message).exists(), "the old branch stays as it was"
    assert [reply.model_name for reply in again.replies] == ["odd"]
    Model.objects.filter(name="wide").update(enabled=False)
    alone = actions.edit_message(owner, edited.message.id, text="Nobody is left to compare")
    assert len(alone.replies) == 1


def test_the_same_client_id_gives_the_same_replies(owner: Principal) -> None:
    client_id = uuid.uuid4()
    conversation, first = compare(owner, client_id=client_id)

    again = actions.post_message(
        owner, conversation.id, text="Which one?", models=["swift", "deep"], client_id=client_id
    )

    assert again.repeated
    assert again.replies == first.replies
    assert Message.objects.count() == 3


@pytest.mark.parametrize(
    ("wishes", "pointer"),
    [
        ({"models": ["swift"]}, "/models"),
        ({"models": []}, "/models"),
        ({"models": ["swift", "deep", "wide", "dear", "odd"]}, "/models"),
        ({"models": ["swift", "swift"]}, "/models/1"),
        ({"models": ["swift", "nowhere"]}, "/models/1"),
        ({"models": ["swift", "deep"], "model": "deep"}, "/models"),
        ({"models": ["swift", "deep"], "respond": False}, "/models"),
    ],
)
def test_what_cannot_be_compared_is_refused_where_it_is_wrong(
    owner: Principal, wishes: dict[str, Any], pointer: str
) -> None:
    conversation = actions.start_conversation(owner)

    with pytest.raises(Invalid) as refused:
        actions.post_message(owner, conversation.id, text="Which one?", **wishes)

    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert not Message.objects.exists()


def test_a_key_compares_only_models_it_may_use(owner: Principal) -> None:
    key = make_key_principal(owner, "messages:write", "models:use:swift")
    conversation = actions.start_conversation(owner)

    with pytest.raises(Invalid) as refused:
        actions.post_message(key, conversation.id, text="Which one?", models=["swift", "deep"])

    assert refused.value.errors[0].pointer == "/models/1"


def test_choosing_shows_the_branch_and_records_who_preferred_what(owner: Principal) -> None:
    conversation, posted = compare(owner)

    actions.choose_reply(owner, posted.others[0].id)

    conversation.refresh_from_db()
    assert conversation.active_leaf == posted.others[0]
    preference = Comparison.objects.get()
    assert (preference.chosen, preference.chosen_by) == (posted.others[0], owner.author)
    assert preference.model_names == ["swift", "deep"]
    last = told(conversation)[-1]
    assert (last.type, last.payload["changed"]) == ("conversation.updated", ["branch"])


def test_whoever_changes_their_mind_has_one_preference(owner: Principal) -> None:
    _, posted = compare(owner)
    actions.choose_reply(owner, posted.others[0].id)
    assert posted.reply

    actions.choose_reply(owner, posted.reply.id)

    assert Comparison.objects.get().chosen == posted.reply


def test_going_on_without_choosing_follows_the_first_and_records_nothing(owner: Principal) -> None:
    conversation, posted = compare(owner)

    further = actions.post_message(owner, conversation.id, text="And then?", model="deep")

    assert further.message.parent == posted.reply
    assert Comparison.objects.get().chosen is None
    assert further.reply not in [claim.id for claim in claim_replies(10)]


def test_choosing_returns_to_the_end_of_what_was_said_below(owner: Principal) -> None:
    conversation, posted = compare(owner)
    further = actions.post_message(owner, conversation.id, text="And then?")
    actions.choose_reply(owner, posted.others[0].id)
    assert posted.reply

    actions.choose_reply(owner, posted.reply.id)

    conversation.refresh_from_db()
    assert conversation.active_leaf == further.reply


def test_what_was_never_compared_cannot_be_chosen(owner: Principal) -> None:
    conversation = actions.start_conversation(owner)
    posted = actions.post_message(owner, conversation.id, text="One only")
    assert posted.reply

    with pytest.raises(NotCompared):
        actions.choose_reply(owner, posted.reply.id)


def test_others_cannot_choose(owner: Principal) -> None:
    _, posted = compare(owner)
    assert posted.reply

    for other in (make_principal(workspace=owner.workspace), make_principal()):
        with pytest.raises(NotFound):
            actions.choose_reply(other, posted.reply.id)
    assert Comparison.objects.get().chosen is None


def test_regenerating_stands_beside_the_comparison(owner: Principal) -> None:
    conversation = make_conversation(owner, "Which one?")
    assert conversation.active_leaf
    left, _ = make_comparison(conversation, conversation.active_leaf, "swift", "deep")

    new = actions.regenerate_reply(owner, left.id)

    assert (new.comparison, new.parent) == (None, left.parent)
    actions.choose_reply(owner, left.id)
    assert Comparison.objects.get().model_names == ["swift", "deep"]


def test_a_deleted_reply_takes_the_preference_for_it_away(owner: Principal) -> None:
    conversation = make_conversation(owner, "Which one?")
    assert conversation.active_leaf
    left, right = make_comparison(conversation, conversation.active_leaf)
    actions.choose_reply(owner, left.id)

    actions.delete_message(owner, left.id)

    assert not Comparison.objects.exists()
    right.refresh_from_db()
    assert right.comparison is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_chosen", [True, False])
def test_a_comparison_goes_with_its_message_or_its_conversation(owner: Principal, is_chosen: bool) -> None:
    for delete in ("message", "conversation"):
        conversation = make_conversation(owner, "Which one?")
        assert conversation.active_leaf
        left, _ = make_comparison(conversation, conversation.active_leaf)
        if is_chosen:
            actions.choose_reply(owner, left.id)

        if delete == "message":
            actions.delete_message(owner, conversation.active_leaf.id)
        else:
            actions.delete_conversation(owner, conversation.id)

    assert not Comparison.objects.exists()
    assert not Message.objects.exists()


def test_nothing_of_a_comparison_is_unread_before_it_has_ended(owner: Principal) -> None:
    conversation, _ = compare(owner)

    assert Member.objects.get(conversation=conversation).unread == 0
