"""Replies that begin or end at the same moment are read and saved together, and none of them suffers for another."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from chatcore.accounts.grants import EVERYTHING
from chatcore.accounts.models import Integration, Membership, User
from chatcore.accounts.principals import Principal
from chatcore.offload import offload
from conversations import actions
from conversations.claims import Claim, Progress, claim_replies, save_progress, show_life
from conversations.finishing import Ending, Outcome, finish, finish_replies
from conversations.models import Message
from conversations.runner import Runner
from conversations.streams import ReplyStream
from tests.factories import make_conversation, make_key_principal, make_model, make_principal
from tests.replying import ended
from tests.until import wait_until_somebody_waits


def make_claims(owner: Principal, count: int) -> list[Claim]:
    make_model()
    for number in range(count):
        actions.post_message(owner, make_conversation(owner).id, text=f"Question {number}")
    return claim_replies(count)


def stream_of(claim: Claim, text: str) -> ReplyStream:
    stream = ReplyStream(claim, publish=lambda *_: None)
    stream.begin(dataclasses.replace(claim, begun=text))
    return stream


def row_of(claim: Claim) -> Message:
    return Message.objects.get(id=claim.id)


@pytest.mark.django_db(transaction=True)
async def test_each_of_those_that_end_at_once_has_its_own_text_and_end() -> None:
    claims = await offload(make_claims, await offload(make_principal), 4)
    streams = [stream_of(claim, f"Answer {number}") for number, claim in enumerate(claims)]
    outcomes = (Outcome.DONE, Outcome.STOPPED, Outcome.DONE)
    endings = [Ending(stream, outcome, []) for stream, outcome in zip(streams, outcomes, strict=False)]
    taken = Ending(stream_of(dataclasses.replace(claims[3], attempt=7), "Too late"), Outcome.DONE, [])

    assert await offload(finish_replies, [*endings, taken]) == [True, True, True, False]

    rows = [await offload(row_of, claim) for claim in claims]
    assert [row.text for row in rows] == ["Answer 0", "Answer 1", "Answer 2", ""]
    assert [row.status for row in rows] == ["done", "stopped", "done", "streaming"]
    assert await offload(finish_replies, endings[:1]) == [False], "what has ended does not end again"


@pytest.mark.django_db(transaction=True)
async def test_one_that_cannot_be_saved_takes_no_other_along() -> None:
    claims = await offload(make_claims, await offload(make_principal), 3)
    endings = [Ending(stream_of(claim, "Whole"), Outcome.DONE, []) for claim in claims]
    endings[1].stream.finish_reason = "longer than its column, " * 4

    found = await asyncio.gather(*map(finish, endings), return_exceptions=True)

    assert [found[0], found[2]] == [True, True]
    assert isinstance(found[1], Exception)
    assert [(await offload(row_of, claim)).status for claim in claims] == ["done", "streaming", "done"]


def save(claims: Sequence[Claim]) -> object:
    return save_progress([Progress(claim.id, claim.attempt, "Half", "") for claim in claims])


def beat(claims: Sequence[Claim]) -> object:
    return show_life([(claim.id, claim.attempt) for claim in claims])


def end(claims: Sequence[Claim]) -> object:
    return finish_replies([Ending(ReplyStream(claim), Outcome.DONE, []) for claim in claims])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("write", [save, beat, end])
def test_who_waits_for_one_reply_holds_none_behind_it(write: Callable[[Sequence[Claim]], object]) -> None:
    """Else two who are about the same replies in another order wait for each other."""
    first, second = make_claims(make_principal(), 2)
    save([first])  # from now on its row lies behind that of the second
    replies = Message.objects.select_for_update(nowait=True)

    def written() -> None:
        write([second, first])
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            replies.get(id=first.id)
            writing = thread.submit(written)
            wait_until_somebody_waits()
            replies.get(id=second.id)
        writing.result(20)


def titles_wanted() -> Counter[str]:
    """How many titles have been asked for, by the conversation."""
    jobs = ProcrastinateJob.objects.filter(task_name="conversations.title")
    return Counter(arguments["conversation_id"] for arguments in jobs.values_list("args", flat=True))


def end_all(*outcomes: Outcome) -> None:
    """All replies that wait, at once."""
    claims = claim_replies(10)
    outcomes = outcomes or (Outcome.DONE,) * len(claims)
    endings = [Ending(ReplyStream(claim), each, []) for claim, each in zip(claims, outcomes, strict=True)]
    assert all(finish_replies(endings))


@pytest.mark.django_db(transaction=True)
def test_a_title_is_asked_for_once_however_many_replies_follow_its_failure() -> None:
    owner, model = make_principal(), make_model()
    first, second = (actions.start_conversation(owner, model=model.name) for _ in range(2))
    for _ in range(3):
        for each in (first, second):
            actions.post_message(owner, each.id, text="And then?")
        end_all()
        assert titles_wanted() == {str(first.id): 1, str(second.id): 1}


@pytest.mark.django_db(transaction=True)
def test_a_title_is_asked_for_after_the_first_reply_that_is_an_answer() -> None:
    owner, model = make_principal(), make_model()
    conversation = actions.start_conversation(owner, model=model.name)
    for outcome, wanted in ((Outcome.STOPPED, 0), (Outcome.DONE, 1), (Outcome.DONE, 1)):
        actions.post_message(owner, conversation.id, text="And then?")
        end_all(outcome)
        assert titles_wanted()[str(conversation.id)] == wanted


@pytest.mark.django_db(transaction=True)
def test_answers_that_are_compared_and_end_at_once_ask_for_one_title() -> None:
    owner, names = make_principal(), [make_model().name for _ in range(2)]
    conversation = actions.start_conversation(owner, model=names[0])
    actions.post_message(owner, conversation.id, text="Who is better?", models=names)
    end_all()
    assert titles_wanted() == {str(conversation.id): 1}


def suspend(principal: Principal) -> None:
    assert principal.user
    User.objects.filter(pk=principal.user.pk).update(is_active=False)


def send_away(principal: Principal) -> None:
    assert principal.user
    Membership.objects.filter(user=principal.user, workspace=principal.workspace).delete()


def switch_off(principal: Principal) -> None:
    assert principal.integration
    Integration.objects.filter(pk=principal.integration.pk).update(enabled=False)


def remove(principal: Principal) -> None:
    assert principal.integration
    Integration.objects.filter(pk=principal.integration.pk).delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", [suspend, send_away, switch_off, remove])
async def test_nobody_is_answered_who_may_not_ask_any_more(
    end: Callable[[Principal], None], runner: Runner
) -> None:
    reply = await offload(asked_and_ended, end)
    row = await ended(runner, reply)
    assert (row.status, row.text, row.route) == ("failed", "", [])
    assert row.error
    assert (row.error["code"], row.error["retryable"]) == ("asker_gone", False)


@transaction.atomic
def asked_and_ended(end: Callable[[Principal], None]) -> Message:
    owner = make_principal()
    asker = make_key_principal(owner, EVERYTHING)
    make_model(kind="scripted", options={"script": [{"text": "Never said"}]})
    posted = actions.post_message(asker, make_conversation(asker).id, text="May I?")
    end(asker)
    assert posted.reply
    return posted.reply
