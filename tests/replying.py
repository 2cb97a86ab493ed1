"""Replies made by a real runner in the test's event loop, and somebody who watches them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from chatcore.accounts.principals import Principal
from chatcore.llm import line
from chatcore.offload import offload
from chatcore.realtime.hub import hub
from conversations import actions
from conversations.control import QUEUE_GROUP
from conversations.follow import ReplyWatch
from conversations.models import Message
from conversations.runner import Runner
from tests.factories import make_model, make_principal

Script = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def scripted_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models may play scripts: see chatcore.llm.scripted."""
    monkeypatch.setenv("SCRIPTED_PROVIDER", "1")


@pytest_asyncio.fixture
async def runner() -> AsyncIterator[Runner]:
    """It takes replies when it is told to, by `wake`; it hears of none before `hub.join(runner, QUEUE_GROUP)`."""
    await hub.start()
    runner = Runner()
    await runner.start()
    hub.leave(runner, QUEUE_GROUP)
    yield runner
    await runner.stop(grace=0)
    await line.close()
    await hub.stop()


async def ended(runner: Runner, reply: Message) -> Message:
    """The reply once it has been made."""
    watch = ReplyWatch(reply.conversation_id, reply.id)
    await watch.open()
    await runner.wake()
    row = await watch.finished(60)
    watch.close()
    assert row
    assert not row.is_running
    return row


async def asked(script: Script, text: str = "Tell me") -> tuple[Principal, Message]:
    """A conversation whose model plays the script, with one question."""
    return await offload(_asked, script, text)


def _asked(script: Script, text: str) -> tuple[Principal, Message]:
    model = make_model(kind="scripted", options={"script": script})
    owner = make_principal()
    conversation = actions.start_conversation(owner, model=model.name)
    reply = actions.post_message(owner, conversation.id, text=text).reply
    assert reply
    return owner, reply


class Watching:
    """Follows a reply as an API client does: puts the deltas of the newest attempt together."""

    def __init__(self, reply: Message) -> None:
        self.frames: list[dict[str, Any]] = []
        self.text = ""
        self.attempt = 0
        self._watch = ReplyWatch(reply.conversation_id, reply.id)
        self._ended = asyncio.Event()

    async def follow(self) -> "Watching":
        await self._watch.open()
        self._task = asyncio.create_task(self._read())
        return self

    async def ended(self) -> "Watching":
        async with asyncio.timeout(60):
            await self._task
        return self

    async def saw(self, kind: str, **data: Any) -> None:
        async with asyncio.timeout(60):
            while not any(
                frame["type"] == kind and data.items() <= frame["data"].items() for frame in self.frames
            ):
                await asyncio.sleep(0.01)

    async def _read(self) -> None:
        async for frame in self._watch.frames():
            if frame is None:
                continue
            self.frames.append(frame)
            data = frame["data"]
            if data.get("attempt", 0) > self.attempt:
                self.attempt, self.text = data["attempt"], ""
            if frame["type"] == "reply.delta":
                assert (data["attempt"], data["offset"]) == (self.attempt, len(self.text))
                self.text += data["text"]
        self._watch.close()

    @property
    def positions(self) -> list[int]:
        return [frame["data"]["position"] for frame in self.frames if frame["type"] == "reply.waiting"]
