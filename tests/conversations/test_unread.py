"""What waits to be read, where messages come, go and are made anew meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.actions.receipts import acknowledgement, count_unread, record
from conversations.claims import MAX_DEATHS, sweep_stalled
from conversations.models import Conversation, Member, Message, Receipt
from tests.factories import make_conversation, make_key_principal, make_model, make_principal, make_reply
from tests.until import wait_until_somebody_waits


def unread(conversation: Conversation) -> int:
    return int(Member.objects.get(conversation=conversation).unread)


def read(owner: Principal, message: Message) -> None:
    record([acknowledgement(owner, message.id, "read")])


def company(owner: Principal) -> Principal:
    return make_key_principal(owner, "messages:write", "conversations:read")


@pytest.mark.django_db
def test_what_is_deleted_waits_for_nobody() -> None:
    owner = make_principal()
    conversation = make_conversation(owner, "Mine")
    first, second = (
        actions.post_message(company(owner), conversation.id, text=text, respond=False).message
        for text in ("One", "Two")
    )
    assert unread(conversation) == 2
    actions.delete_message(owner, second.id)
    assert unread(conversation) == 1
    actions.delete_message(owner, first.id)
    assert unread(conversation) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("was_read", [False, True])
def test_a_reply_that_is_made_anew_counts_once_and_has_been_read_by_nobody(was_read: bool) -> None:
    make_model()
    owner = make_principal()
    conversation = make_conversation(owner, "Question")
    reply = make_reply(owner, conversation, status="failed")
    count_unread({conversation.id: 1})
    if was_read:
        read(owner, reply)
        assert unread(conversation) == 0
    actions.retry_reply(owner, reply.id)
    assert unread(conversation) == 0
    assert not Receipt.objects.filter(message=reply).exists()
    Message.objects.filter(id=reply.id).update(status="done")
    count_unread({conversation.id: 1})
    assert unread(conversation) == 1
    read(owner, reply)
    assert unread(conversation) == 0


@pytest.mark.django_db
def test_a_reply_whose_workers_died_waits_to_be_read_as_any_other_that_failed() -> None:
    owner = make_principal()
    conversation = make_conversation(owner, "Question")
    long_ago = timezone.now() - timedelta(minutes=1)
    make_reply(owner, conversation, status="streaming", heartbeat_at=long_ago, restarts=MAX_DEATHS - 1)
    assert sweep_stalled() == 1
    assert unread(conversation) == 1


@pytest.mark.django_db(transaction=True)
def test_what_comes_while_older_messages_are_marked_read_stays_unread() -> None:
    owner = make_principal()
    conversation = make_conversation(owner)
    other = company(owner)
    first = actions.post_message(other, conversation.id, text="One", respond=False).message
    item = acknowledgement(owner, first.id, "read")

    def acknowledge() -> None:
        record([item])
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            actions.post_message(other, conversation.id, text="Two", respond=False)
            marking = thread.submit(acknowledge)
            wait_until_somebody_waits()
        marking.result(20)
    assert unread(conversation) == 1


@pytest.mark.django_db(transaction=True)
def test_one_message_that_is_deleted_meanwhile_keeps_no_other_from_being_marked() -> None:
    owner = make_principal()
    gone, kept = make_conversation(owner), make_conversation(owner)
    first, second = (
        actions.post_message(company(owner), conversation.id, text="Hello", respond=False).message
        for conversation in (gone, kept)
    )
    items = [acknowledgement(owner, message.id, "read") for message in (first, second)]

    def acknowledge() -> None:
        record(items)
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            actions.delete_message(owner, first.id)
            marking = thread.submit(acknowledge)
            wait_until_somebody_waits()
        marking.result(20)
    assert (unread(gone), unread(kept)) == (0, 0)
    assert list(Receipt.objects.values_list("message", flat=True)) == [second.id]
