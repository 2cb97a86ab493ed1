"""A completion that is a reply in a conversation: made by a worker, followed here to its end."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any

from chatcore.ids import uuid7
from chatcore.llm.types import ReasoningDelta, TextDelta
from chatcore.offload import offload
from conversations.follow import ReplyWatch
from external.openai.completions import Asking, ask
from external.openai.files import discard, store_files
from external.openai.sources import Failed, Restarted, Told

DELETED = {"code": "deleted", "detail": "The reply was deleted before it was finished.", "retryable": False}
ENDED = ("reply.completed", "reply.stopped")


class Stored:
    """`open` commits; whatever becomes of the client, the reply is made."""

    def __init__(self, conversation_id: uuid.UUID, reply_id: uuid.UUID) -> None:
        self.conversation_id = conversation_id
        self.reply_id = reply_id
        self.text = self.reasoning = self.finish_reason = ""
        self.tool_calls: list[dict[str, str]] = []
        self.usage: dict[str, Any] | None = None
        self._watch = ReplyWatch(conversation_id, reply_id, is_new=True)

    @classmethod
    async def open(cls, asking: Asking) -> "Stored":
        principal = asking.principal
        attachments = await store_files(principal, asking.place.new, asking.sent)
        source = cls(asking.place.conversation_id, uuid7())
        try:
            await source._watch.open()
            await ask(asking, source.reply_id, attachments)
        except BaseException:
            source.close()
            await offload(discard, principal, attachments)
            raise
        return source

    def close(self) -> None:
        self._watch.close()

    async def events(self) -> AsyncGenerator[Told, None]:
        async for frame in self._watch.frames():
            if frame is None:
                yield None
                continue
            kind, data = frame["type"], frame["data"]
            if kind == "reply.delta":
                if data["part"] == "text":
                    yield TextDelta(data["text"])
                else:
                    self.reasoning += data["text"]
                    yield ReasoningDelta(data["text"])
            elif kind == "reply.restarted":
                self.reasoning = ""
                yield Restarted()
            elif kind == "reply.failed":
                raise Failed(data["error"])
            elif kind in ENDED:
                self._end(data)
                return
        raise Failed(DELETED)

    def _end(self, data: dict[str, Any]) -> None:
        self.text, self.usage = data["text"], data["usage"]
        self.finish_reason = data.get("finish_reason", "")
        self.tool_calls = data.get("tool_calls", [])
