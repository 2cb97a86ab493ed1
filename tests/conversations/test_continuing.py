"""Replies that broke off go on where they ended."""

import pytest

from chatcore.accounts.principals import Principal
from chatcore.llm.continuing import CONTINUE
from chatcore.llm.models import Provider
from chatcore.llm.types import Finished, TextDelta
from chatcore.llm.types import Usage as Counts
from chatcore.offload import offload
from chatcore.usage.models import Usage
from conversations import actions
from conversations.claims import claim_replies
from conversations.context import read_context
from conversations.errors import AlreadyFinished, NothingSaid, StillRunning
from conversations.finishing import Outcome, finish_reply
from conversations.generation import restart
from conversations.models import Message
from conversations.runner import Runner
from conversations.streams import ReplyStream
from tests.factories import make_conversation, make_model, make_principal, make_reply
from tests.replying import Script, Watching, ended

pytestmark = pytest.mark.django_db(transaction=True)

HALF: Script = [
    {"text": "Half a wo"},
    {"usage": {"input_tokens": 9, "output_tokens": 4}},
    {"finish": "length"},
]


def asked(script: Script) -> tuple[Principal, Message]:
    model = make_model(kind="scripted", options={"script": script})
    owner = make_principal()
    conversation = actions.start_conversation(owner, model=model.name, title="Named")
    reply = actions.post_message(owner, conversation.id, text="Tell me").reply
    assert reply
    return owner, reply


def play(script: Script) -> None:
    """From now on the model plays this one."""
    for provider in Provider.objects.filter(kind="scripted"):
        provider.options = {"script": script}
        provider.save()


async def test_the_rest_is_added_to_what_was_said(runner: Runner) -> None:
    owner, reply = await offload(asked, HALF)
    await ended(runner, reply)
    await offload(play, [{"text": "rd, and more."}, {"usage": {"input_tokens": 12, "output_tokens": 5}}])
    await offload(actions.continue_reply, owner, reply.id)
    watching = await Watching(reply).follow()

    row = await ended(runner, reply)
    await watching.ended()

    assert (row.status, row.text, row.finish_reason) == ("done", "Half a word, and more.", "stop")
    assert watching.text == "Half a word, and more.", "who watches reads all of it under the new attempt"
    assert row.usage is not None
    assert (row.usage["input_tokens"], row.usage["output_tokens"]) == (21, 9), "both parts are counted"
    assert row.usage["cached_tokens"] is None
    calls = await offload(lambda: list(Usage.objects.order_by("id").values_list("output_tokens", flat=True)))
    assert calls == [4, 5], "and each is in the ledger by itself"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([{"error": {"code": "overloaded"}}], ("failed", "Half a wo")),
        ([{"text": "rd,"}, {"error": {"code": "content_filter"}}], ("failed", "Half a word,")),
    ],
)
async def test_what_was_said_survives_a_failure(
    runner: Runner, script: Script, expected: tuple[str, str]
) -> None:
    owner, reply = await offload(asked, HALF)
    await ended(runner, reply)
    await offload(play, script)
    await offload(actions.continue_reply, owner, reply.id)

    row = await ended(runner, reply)

    assert (row.status, row.text) == expected
    assert row.usage is None, "what the second part cost is unknown, and so is the sum"
    retried = await offload(actions.retry_reply, owner, reply.id)
    assert (retried.text, retried.begun) == ("", ""), "made anew, it begins from nothing"


async def test_the_model_reads_its_own_words_and_what_to_do(runner: Runner) -> None:
    owner, reply = await offload(asked, HALF)
    await ended(runner, reply)
    await offload(actions.continue_reply, owner, reply.id)
    (claim,) = await offload(claim_replies, 1)

    turns = (await offload(read_context, claim)).request().turns

    assert [(turn.role, turn.text) for turn in turns] == [
        ("user", "Tell me"),
        ("assistant", "Half a wo"),
        ("user", CONTINUE),
    ]


async def test_another_deployment_begins_with_the_same_words(runner: Runner) -> None:
    owner, reply = await offload(asked, HALF)
    await ended(runner, reply)
    await offload(actions.continue_reply, owner, reply.id)
    (claim,) = await offload(claim_replies, 1)
    stream = ReplyStream(claim)
    stream.take(TextDelta("nders"))

    await restart(stream)
    voided = await offload(Message.objects.get, id=reply.id)
    for event in (TextDelta("rd"), Counts(1, 1), Finished()):
        stream.take(event)
    await offload(finish_reply, stream, Outcome.DONE, [])

    row = await offload(Message.objects.get, id=reply.id)
    assert (voided.text, row.text, row.attempt) == ("Half a wo", "Half a word", 3)
    assert stream.written == "rd"


@pytest.mark.parametrize(
    "broken_off", [{"status": "failed"}, {"status": "stopped"}, {"status": "done", "finish_reason": "length"}]
)
def test_a_reply_that_broke_off_is_continued_in_its_place(broken_off: dict[str, str]) -> None:
    make_model()
    owner = make_principal()
    reply = make_reply(owner, make_conversation(owner, "Question"), text="Half", **broken_off)

    continued = actions.continue_reply(owner, reply.id)

    assert continued.id == reply.id
    assert (continued.status, continued.text) == (Message.Status.QUEUED, "Half"), "what it said stays"
    with pytest.raises(StillRunning):
        actions.continue_reply(owner, reply.id)


def test_there_must_be_something_to_continue() -> None:
    owner = make_principal()
    conversation = make_conversation(owner, "Question")
    with pytest.raises(AlreadyFinished):
        actions.continue_reply(owner, make_reply(owner, conversation).id)
    with pytest.raises(NothingSaid):
        actions.continue_reply(owner, make_reply(owner, conversation, status="stopped", text=" ").id)
