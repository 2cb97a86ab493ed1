"""The life of conversations that messages from outside open: continued, begun anew, closed, archived, deleted."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.realtime.models import Event
from conversations.models import Conversation, Member, Message
from external.housekeeping import archive_idle, delete_idle, tidy
from external.intake import Accepted, IntakeItem, accept, accept_one
from external.models import IntakeMessage, IntakePolicy, Thread
from tests.external.posting import gateway
from tests.factories import make_conversation, make_model, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    make_model("plain")
    return make_principal()


def conversations(principal: Principal, *texts: str) -> list[uuid.UUID]:
    """Of each of these messages, in one batch."""
    outcomes = accept(principal, [IntakeItem(text) for text in texts])
    assert all(isinstance(each, Accepted) for each in outcomes)
    return [each.conversation_id for each in outcomes if isinstance(each, Accepted)]


def age(conversation_id: uuid.UUID, **ago: float) -> datetime:
    last = timezone.now() - timedelta(**ago)
    Conversation.objects.filter(id=conversation_id).update(last_message_at=last)
    return last


def policy_of(principal: Principal) -> IntakePolicy:
    return IntakePolicy.objects.select_related("integration").get(integration=principal.integration)


@pytest.mark.parametrize(("hours", "continued"), [(1.9, True), (2.1, False)])
def test_an_idle_conversation_is_not_continued(owner: Principal, hours: float, continued: bool) -> None:
    sender = gateway(owner, new_after_hours=2)
    (first,) = conversations(sender, "One")
    age(first, hours=hours)
    (second,) = conversations(sender, "Two")
    assert (first == second) is continued
    assert Thread.objects.filter(closed_at__isnull=True).get().conversation_id == second


def test_without_a_policy_a_conversation_goes_on_for_ever(owner: Principal) -> None:
    sender = gateway(owner)
    (first,) = conversations(sender, "One")
    age(first, days=4_000)
    assert conversations(sender, "Two") == [first]


def test_the_close_word_ends_it_unanswered(owner: Principal) -> None:
    sender = gateway(owner, close_word="Stop")
    first, closing, anew, closing_anew = conversations(sender, "One", " STOP ", "Two", "stop")
    assert first == closing != anew == closing_anew
    assert not Thread.objects.filter(closed_at__isnull=True).exists()
    last = Message.objects.get(text=" STOP ")
    assert not Message.objects.filter(parent=last, author="assistant").exists()
    assert "stop" not in Message.objects.filter(author="assistant").values_list("parent__text", flat=True)


def test_threads_of_users_and_integrations_are_apart(owner: Principal) -> None:
    mine, other = gateway(owner), gateway(owner)
    assert conversations(mine, "One") != conversations(other, "One")


def test_who_was_taken_out_of_it_begins_anew(owner: Principal) -> None:
    sender = gateway(owner)
    (first,) = conversations(sender, "One")
    Member.objects.filter(conversation=first).delete()
    assert conversations(sender, "Two") != [first]


def test_a_named_conversation_and_its_thread_are_one(owner: Principal) -> None:
    sender = gateway(owner)
    (first,) = conversations(sender, "One")
    outcomes = accept(sender, [IntakeItem("Two", conversation=first), IntakeItem("Three")])
    ends = [each.message for each in outcomes if isinstance(each, Accepted)]
    assert [message.conversation_id for message in ends] == [first, first]
    assert ends[1].parent_id not in (None, ends[0].parent_id)


def test_idle_conversations_are_archived_and_begun_anew(owner: Principal) -> None:
    sender = gateway(owner, archive_after_days=3)
    (first,) = conversations(sender, "One")
    assert archive_idle(policy_of(sender), timezone.now()) == 0
    age(first, days=3.1)
    untouched = make_conversation(owner, "My own")
    age(untouched.id, days=100)

    tidy(timezone.now())

    assert set(Member.objects.filter(archived_at__isnull=False).values_list("conversation", flat=True)) == {
        first
    }
    assert Event.objects.filter(conversation_id=first).latest("id").payload["changed"] == ["archived"]
    assert archive_idle(policy_of(sender), timezone.now()) == 0
    assert conversations(sender, "Two") != [first]


def test_what_is_kept_no_longer_is_gone_with_everything(owner: Principal) -> None:
    sender = gateway(owner, keep_days=30)
    (first,) = conversations(sender, "One")
    accept_one(sender, IntakeItem("Other", thread="other", external_id="kept"))
    assert delete_idle(policy_of(sender), timezone.now()) == 0
    age(first, days=31)

    tidy(timezone.now())

    assert not Conversation.objects.filter(id=first).exists()
    assert IntakeMessage.objects.get().external_id == "kept"
    assert [thread.name for thread in Thread.objects.all()] == ["other"]
    assert Event.objects.filter(conversation_id=first).get().type == "conversation.deleted"
