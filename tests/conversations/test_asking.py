"""Questions that are asked at the same moment are stored together, and none of them suffers for another."""

import asyncio
import dataclasses
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from chatcore.accounts.grants import EVERYTHING
from chatcore.accounts.principals import Principal
from chatcore.errors import Invalid, NotFound
from chatcore.offload import offload
from conversations import actions, asking
from conversations.actions import Posted, Wish
from conversations.models import Conversation, Message
from tests.factories import make_conversation, make_key_principal, make_model, make_principal
from tests.until import wait_until_somebody_waits


def make_asked(count: int) -> tuple[Principal, list[Conversation]]:
    make_model()
    owner = make_principal()
    return owner, [make_conversation(owner) for _ in range(count)]


def wishes_for(conversations: Sequence[Conversation], text: str) -> list[Wish]:
    return [Wish(conversation_id=each.id, text=f"{text} {place}") for place, each in enumerate(conversations)]


@pytest.mark.django_db
def test_what_comes_to_one_conversation_at_once_stands_one_below_the_other() -> None:
    owner, (busy, other) = make_asked(2)
    named = uuid.uuid4()
    wishes = [
        Wish(conversation_id=busy.id, text="One", client_id=named),
        Wish(conversation_id=other.id, text="Elsewhere", client_id=named),
        Wish(conversation_id=busy.id, text="One again", client_id=named),
        Wish(conversation_id=busy.id, text="Two", respond=False),
        Wish(conversation_id=busy.id, text="Three"),
    ]
    one, elsewhere, again, two, three = actions.post_messages(owner, wishes)
    assert one.reply
    assert elsewhere.reply
    assert three.reply
    assert (again.message, again.reply, again.repeated) == (one.message, one.reply, True)
    assert not elsewhere.repeated, "the client's id counts within its conversation"
    branch = Message.objects.branch(Conversation.objects.get(id=busy.id).active_leaf_id)
    assert branch == [one.message, one.reply, two.message, three.message, three.reply]
    assert actions.post_messages(owner, wishes[:2]) == [
        dataclasses.replace(each, repeated=True) for each in (one, elsewhere)
    ]


@pytest.mark.django_db
def test_many_are_stored_by_as_many_statements_as_two() -> None:
    owner, conversations = make_asked(12)
    actions.post_messages(owner, wishes_for(conversations[:2], "Warm"))
    counts = []
    for asked in (conversations[:2], conversations):
        with CaptureQueriesContext(connection) as queries:
            actions.post_messages(owner, wishes_for(asked, "Question"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
async def test_whoever_is_refused_takes_no_other_along() -> None:
    owner, (mine, kept) = await offload(make_asked, 2)
    _, (foreign,) = await offload(make_asked, 1)
    found = await asyncio.gather(
        asking.ask(owner, Wish(conversation_id=mine.id, text="Mine")),
        asking.ask(owner, Wish(conversation_id=foreign.id, text="Not mine")),
        asking.ask(owner, Wish(conversation_id=kept.id, text="Half \ud800")),
        asking.ask(owner, Wish(conversation_id=kept.id, text="Mine too")),
        return_exceptions=True,
    )
    assert isinstance(found[1], NotFound)
    assert isinstance(found[2], Invalid)
    assert [_said(found[0]), _said(found[3])] == ["Mine", "Mine too"]
    stored = Message.objects.filter(author="user").values_list("text", flat=True)
    assert sorted(await offload(list, stored)) == ["Mine", "Mine too"]


def _said(outcome: object) -> str:
    assert isinstance(outcome, Posted)
    assert outcome.reply
    return outcome.message.text


@pytest.mark.django_db(transaction=True)
async def test_those_who_may_do_different_things_are_never_asked_for_together() -> None:
    owner, (conversation,) = await offload(make_asked, 1)
    able = await offload(make_key_principal, owner, EVERYTHING)
    reading = dataclasses.replace(able, grants=frozenset({"messages:read"}))
    found = await asyncio.gather(
        asking.ask(able, Wish(conversation_id=conversation.id, text="Allowed")),
        asking.ask(reading, Wish(conversation_id=conversation.id, text="Not allowed")),
        return_exceptions=True,
    )
    assert _said(found[0]) == "Allowed"
    assert getattr(found[1], "code", "") == "forbidden"


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_one_conversation_holds_none_behind_it() -> None:
    """Else two who ask in the same conversations in another order wait for each other."""
    owner, conversations = make_asked(2)
    first, second = sorted(conversations, key=lambda each: each.id)
    locking = Conversation.objects.select_for_update(nowait=True)

    def asked() -> None:
        actions.post_messages(owner, wishes_for([second, first], "Question"))
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            locking.get(id=first.id)
            posting = thread.submit(asked)
            wait_until_somebody_waits()
            locking.get(id=second.id)
        posting.result(20)
