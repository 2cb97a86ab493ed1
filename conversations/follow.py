"""`follow` one reply to its end: join, snapshot, then newer deltas by offset. API streams and waits stand on it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from chatcore.offload import offload
from chatcore.prepared import plans_kept
from chatcore.realtime.frames import Frame, signal
from conversations.events import Part, ReplyDelta
from conversations.following import follow_conversation, unfollow_conversation
from conversations.models import Message

ENDINGS = {
    Message.Status.DONE: "reply.completed",
    Message.Status.FAILED: "reply.failed",
    Message.Status.STOPPED: "reply.stopped",
}
BEGINNINGS = ("reply.queued", "reply.started", "reply.restarted")
PARTS: tuple[Part, ...] = ("reasoning", "text")
BUFFER_FRAMES = 10_000
LOOK_AGAIN_SECONDS = 5.0


class ReplyWatch:
    """A watcher of one reply. Open it before the reply's transaction commits, so that nothing can be missed.

    A frame that cannot come (the process that published it died, the buffer is full) does not hang it: every five
    silent seconds the row is looked at again.
    """

    def __init__(self, conversation_id: uuid.UUID, reply_id: uuid.UUID, *, is_new: bool = False) -> None:
        """`is_new`: it is opened before the reply's row is committed, so that there is nothing to look at yet."""
        self.conversation_id = conversation_id
        self.reply_id = reply_id
        self._is_new = is_new
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(BUFFER_FRAMES)
        self._attempt = 0
        self._lengths: dict[Part, int] = {"text": 0, "reasoning": 0}

    async def open(self) -> None:
        await follow_conversation(self.conversation_id, self, "text", attends=False)

    def close(self) -> None:
        unfollow_conversation(self.conversation_id, self, "text")

    def receive(self, frame: Frame) -> None:
        is_own = frame.type.startswith("reply.") and frame.body["data"]["message"] == str(self.reply_id)
        if is_own and not self._frames.full():
            self._frames.put_nowait(frame)

    async def frames(self) -> AsyncIterator[dict[str, Any] | None]:
        """The reply's frames, from wherever it is to its end, and None for five silent seconds.

        A deleted reply just ends.
        """
        looks = not self._is_new
        while True:
            if looks:
                row = await offload(_row, self.reply_id)
                if row is None:
                    return
                if row.status in ENDINGS:
                    for rest in _rest_of(row, self._attempt, self._lengths):
                        yield rest
                    yield ending_frame(row)
                    return
            try:
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    frame = await self._frames.get()
            except TimeoutError:
                looks = True
                yield None
                continue
            looks = False
            body = self._newer(frame.body)
            if body is not None:
                yield body
                if body["type"] in ENDINGS.values():
                    return

    async def finished(self, seconds: float) -> Message | None:
        """The reply's row after its end, or as it is when the time is over; None if it was deleted."""
        try:
            async with asyncio.timeout(seconds):
                async for _ in self.frames():
                    pass
        except TimeoutError:
            pass
        return await offload(_row, self.reply_id)

    def _newer(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Cut what is known already; a newer attempt begins at zero."""
        data = body["data"]
        attempt = data.get("attempt", self._attempt)
        if attempt > self._attempt:
            self._attempt, self._lengths = attempt, {"text": 0, "reasoning": 0}
        if body["type"] in BEGINNINGS:
            # Told by the log, which may come behind what the worker tells itself: then it is no news any more.
            is_late = attempt < self._attempt or any(self._lengths.values())
            return None if is_late else body
        if body["type"] != "reply.delta":
            return body
        known = self._lengths[data["part"]]
        fresh = data["text"][max(0, known - data["offset"]) :]
        if attempt < self._attempt or data["offset"] > known or not fresh:
            return None
        self._lengths[data["part"]] = known + len(fresh)
        return body | {"data": data | {"offset": known, "text": fresh}}


class Watches:
    """Watchers of the replies to one message, as one. Open it before the replies' transaction commits.

    `are_new` as for `ReplyWatch`.
    """

    def __init__(
        self, conversation_id: uuid.UUID, reply_ids: Sequence[uuid.UUID], *, are_new: bool = False
    ) -> None:
        self.conversation_id = conversation_id
        self._watches = [ReplyWatch(conversation_id, reply_id, is_new=are_new) for reply_id in reply_ids]

    async def open(self) -> None:
        try:
            for watch in self._watches:
                await watch.open()
        except BaseException:
            self.close()
            raise

    def keep(self, reply_ids: Sequence[uuid.UUID]) -> bool:
        """From now on these alone are watched; False, and nothing changes, if one of them is not watched."""
        kept = [watch for watch in self._watches if watch.reply_id in reply_ids]
        if len(kept) < len(reply_ids):
            return False
        for watch in self._watches:
            if watch not in kept:
                watch.close()
        self._watches = kept
        return True

    def close(self) -> None:
        for watch in self._watches:
            watch.close()

    async def frames(self) -> AsyncIterator[dict[str, Any] | None]:
        """The frames of all replies as they come, until every one has ended."""
        frames: asyncio.Queue[dict[str, Any] | BaseException | _Ended | None] = asyncio.Queue(1)
        reading = [asyncio.create_task(_read(watch, frames)) for watch in self._watches]
        left = len(reading)
        try:
            while left:
                frame = await frames.get()
                if isinstance(frame, BaseException):
                    raise frame
                if isinstance(frame, _Ended):
                    left -= 1
                else:
                    yield frame
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def finished(self, seconds: float) -> list[Message | None]:
        """The replies' rows after their ends, or as they are when the time is over; None for a deleted one."""
        return await asyncio.gather(*(watch.finished(seconds) for watch in self._watches))


class _Ended:
    """A reply has no frames left."""


async def _read(
    watch: ReplyWatch, frames: "asyncio.Queue[dict[str, Any] | BaseException | _Ended | None]"
) -> None:
    try:
        async for frame in watch.frames():
            await frames.put(frame)
    except Exception as error:
        await frames.put(error)
    else:
        await frames.put(_Ended())


def ending_frame(reply: Message) -> dict[str, Any]:
    """The frame that tells of a reply's end, made from its row."""
    data: dict[str, Any] = {
        "message": str(reply.id),
        "parent": str(reply.parent_id) if reply.parent_id else None,
        "model": reply.model_name,
        "attempt": reply.attempt,
        "text": reply.text,
        "usage": reply.usage,
    }
    if reply.status == Message.Status.FAILED:
        data["error"] = reply.error
    if reply.status == Message.Status.DONE:
        data |= {"finish_reason": reply.finish_reason, "tool_calls": reply.tool_calls}
    kind = ENDINGS[Message.Status(reply.status)]
    return {"type": kind, "conversation": str(reply.conversation_id), "data": data}


def _rest_of(reply: Message, attempt: int, known: dict[Part, int]) -> Iterator[dict[str, Any]]:
    """The deltas that are missing at one who knows so much of the attempt."""
    for part in PARTS:
        text = getattr(reply, part)
        offset = known[part] if attempt == reply.attempt else 0
        if len(text) > offset:
            body = ReplyDelta(
                message=reply.id, attempt=reply.attempt, part=part, offset=offset, text=text[offset:]
            )
            yield signal(body, str(reply.conversation_id))


@plans_kept()
def _row(reply_id: uuid.UUID) -> Message | None:
    found: Message | None = Message.objects.filter(id=reply_id).first()
    return found
