"""Titles that models write after the first answer."""

import asyncio
from pathlib import Path

import pytest

from chatcore.offload import offload
from chatcore.realtime.models import Event
from conversations import actions, tasks
from conversations.models import Conversation, Message
from conversations.runner import Runner
from conversations.titling import write_title
from tests.factories import make_model, make_principal
from tests.replying import asked
from tests.until import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_provider")]


def answered(title: str) -> Conversation:
    """A conversation with its first answer, whose model would give it this title."""
    owner = make_principal()
    model = make_model(kind="scripted", options={"script": [], "title": title})
    conversation = actions.start_conversation(owner, model=model.name)
    reply = actions.post_message(owner, conversation.id, text="What is it?").reply
    assert reply
    Message.objects.filter(id=reply.id).update(status="done", text="That.")
    return conversation


async def titled(conversation: Conversation) -> tuple[str, str, int]:
    """Its title, where that is from, and how often its members were told of a change."""
    row = await offload(Conversation.objects.get, id=conversation.id)
    told = Event.objects.filter(conversation_id=conversation.id, type="conversation.updated")
    return row.title, row.title_source, await offload(told.count)


async def test_titles_that_are_written_at_once_are_each_their_own() -> None:
    conversations = [await offload(answered, title) for title in ("One", "Two", "Three", "")]
    given = await offload(answered, "Four")
    await offload(Conversation.objects.filter(id=given.id).update, title="Mine", title_source="given")

    await asyncio.gather(*(write_title(each.id) for each in (*conversations, given, conversations[0])))

    assert [await titled(each) for each in conversations] == [
        ("One", "generated", 1),
        ("Two", "generated", 1),
        ("Three", "generated", 1),
        ("What is it?", "draft", 0),
    ]
    assert await titled(given) == ("Mine", "given", 0)


@pytest.mark.parametrize("crowd", [1, 2], ids=["one before its first word", "two that are written"])
async def test_a_title_lets_answers_go_first_for_a_while(
    crowd: int, runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    beginning = [{"text": "It "}] if crowd > 1 else []
    first, second = [await offload(answered, title) for title in ("Soon", "Later")]
    for _ in range(crowd):
        await asked([*beginning, {"wait": str(gate)}, {"text": "ends."}])
    await runner.wake()
    await until(lambda: all(run.stream.is_silent != bool(beginning) for run in runner.runs.values()))
    monkeypatch.setattr("conversations.runner.CROWD", 2)

    monkeypatch.setattr(tasks, "TITLE_PATIENCE_SECONDS", 0.5)
    await tasks.title(str(first.id))
    assert await titled(first) == ("Soon", "generated", 1)

    monkeypatch.setattr(tasks, "TITLE_PATIENCE_SECONDS", 60.0)
    titling = asyncio.ensure_future(tasks.title(str(second.id)))
    assert not (await asyncio.wait([titling], timeout=1))[0]
    gate.touch()
    await asyncio.wait_for(titling, 30)
    assert await titled(second) == ("Later", "generated", 1)
