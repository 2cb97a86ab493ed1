"""The running replies of one conversation as this process's watchers follow them.

One `Following` per watched conversation: it joins the hub, reads what is saved, and hands on deltas without gaps or
repeats, as text for API clients and as rendered blocks for web pages; HTML is made only while a page looks.
"""

import asyncio
import uuid
from typing import Any, Literal

from chatcore.realtime.frames import Frame, signal
from chatcore.realtime.hub import LOCAL, Watcher, hub
from conversations.assembly import Assembly
from conversations.attendance import Attendance
from conversations.events import Part, ReplyDelta
from conversations.rendering.stream import BlockStream, Update
from conversations.running import running_replies

RENDER_SECONDS = 0.125
REREAD_SECONDS = 0.25
ENDED_REMEMBERED = 100

Form = Literal["text", "html"]


class FollowedReply:
    """One running reply: its parts, and the blocks drawn from it while a page looks."""

    def __init__(self, following: "Following", message_id: str, attempt: int) -> None:
        self.message_id = message_id
        self.attempt = attempt
        self._following = following
        self.parts: dict[Part, Assembly] = {
            "text": Assembly(attempt, lambda offset, text: self._grown("text", offset, text)),
            "reasoning": Assembly(attempt, lambda offset, text: self._grown("reasoning", offset, text)),
        }
        self.drawn = 0
        self._blocks: BlockStream | None = None
        self._drawing = asyncio.Lock()

    @property
    def is_running(self) -> bool:
        """Nothing is told of it behind its end, or behind the beginning of another attempt."""
        return self._following.replies.get(self.message_id) is self

    def delta(self, part: Part, offset: int, text: str, update: Update | None = None) -> dict[str, Any]:
        html = None
        if update is not None:
            html = {
                "first": update.first,
                "blocks": update.blocks,
                "tail": update.tail,
                "reset": update.reset,
            }
        body = ReplyDelta(
            message=uuid.UUID(self.message_id),
            attempt=self.attempt,
            part=part,
            offset=offset,
            text=text,
            html=html,
        )
        return signal(body, str(self._following.conversation_id))

    def _grown(self, part: Part, offset: int, text: str) -> None:
        self._following.emit("text", self.delta(part, offset, text))
        if part == "reasoning":
            self._following.emit("html", self.delta(part, offset, text))
        elif self._following.is_drawing:
            self._following.draw_soon()

    async def draw(self) -> None:
        """Render what has come since the last time and send it to the pages."""
        async with self._drawing:
            offset, new = self.drawn, self._undrawn()
            if new and self._blocks:
                update = await asyncio.to_thread(self._blocks.update)
                if self.is_running:
                    self._following.emit("html", self.delta("text", offset, new, update))

    async def snapshot(self, form: Form) -> list[dict[str, Any]]:
        """Everything so far, for one that joins now; what follows begins where this ends, or overlaps it."""
        text, reasoning = self.parts["text"], self.parts["reasoning"]
        bodies = [self.delta("reasoning", 0, reasoning.text)] if reasoning.length else []
        if form == "text":
            return [*bodies, self.delta("text", 0, text.text)]
        await self.draw()
        async with self._drawing:
            self._undrawn()
            assert self._blocks
            update = await asyncio.to_thread(self._blocks.snapshot)
            return [*bodies, self.delta("text", 0, text.text[: self.drawn], update)]

    def _undrawn(self) -> str:
        """Feed the blocks up to the text's end; returns what was new to them."""
        if self._blocks is None:
            self._blocks, self.drawn = BlockStream(message_id=self.message_id), 0
        text = self.parts["text"]
        new = text.text[self.drawn :]
        self._blocks.feed(new)
        self.drawn = text.length
        return new


class Following:
    """All running replies of one conversation, for the watchers of this process."""

    def __init__(self, conversation_id: uuid.UUID) -> None:
        self.conversation_id = conversation_id
        self.replies: dict[str, FollowedReply] = {}
        self._ended: dict[str, int] = {}
        self.watchers: set[tuple[Watcher, Form]] = set()
        self.ready = asyncio.Event()
        self._group = f"conversation.{conversation_id}"
        self._opening: asyncio.Task[None] | None = None
        self._attending: asyncio.Task[None] | None = None
        self._attendance = Attendance(conversation_id, self._emit_everywhere)
        self._rereading: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drawing: asyncio.Task[None] | None = None

    def group(self, form: Form) -> str:
        return f"{LOCAL}{form}.{self.conversation_id}"

    @property
    def is_drawing(self) -> bool:
        return self.group("html") in hub.groups

    async def opened(self) -> None:
        """Until it listens and knows what is saved. The opening is nobody's own: whoever came first may go first."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        await hub.join(self, self._group)
        await self._read_saved()
        self.ready.set()

    async def attended(self) -> None:
        """Until it knows who is there. Nobody asks for the watchers of a reply alone."""
        if self._attending is None:
            self._attending = asyncio.get_running_loop().create_task(self._attendance.open())
        await asyncio.shield(self._attending)

    def close(self) -> None:
        hub.leave(self, self._group)
        self._attendance.close()
        if self._timer:
            self._timer.cancel()
        for task in (self._opening, self._attending, self._rereading, self._drawing):
            if task:
                task.cancel()

    def emit(self, form: Form, body: dict[str, Any]) -> None:
        hub.deliver(self.group(form), body)

    def _emit_everywhere(self, body: dict[str, Any]) -> None:
        self.emit("text", body)
        self.emit("html", body)

    async def snapshot(self, form: Form) -> list[dict[str, Any]]:
        """What one that joins now has to know: what running replies have said, and who is there."""
        drawn = [(reply, await reply.snapshot(form)) for reply in tuple(self.replies.values())]
        running = [bodies for reply, bodies in drawn if reply.is_running]
        return [body for bodies in running for body in bodies] + self._attendance.snapshot()

    def draw_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(RENDER_SECONDS, self._start_drawing)

    def receive(self, frame: Frame) -> None:
        """A frame of the conversation: deltas are put together, events are handed on behind them."""
        data = frame.body["data"]
        if frame.type == "reply.delta":
            reply = self._reply(data["message"], data["attempt"])
            if reply:
                reply.parts[data["part"]].add(data["offset"], data["text"])
                self._close_hole(reply)
            return
        if frame.type in ("reply.started", "reply.restarted"):
            self._reply(data["message"], data["attempt"])
        elif frame.type in ("reply.completed", "reply.failed", "reply.stopped"):
            self._end(data["message"], data["attempt"], data["text"])
        elif frame.type == "reply.queued":
            known = self.replies.get(data["message"])
            if known is not None and known.attempt <= data["attempt"]:
                del self.replies[data["message"]]
        self._emit_everywhere(frame.body)

    def _reply(self, message_id: str, attempt: int) -> FollowedReply | None:
        """The reply under this attempt: a newer one begins anew, an older or ended one is no more of interest.

        A frame may come late: from a worker that stood still, or after the tail has told of the end.
        """
        if attempt <= self._ended.get(message_id, 0):
            return None
        known = self.replies.get(message_id)
        if known is None or attempt > known.attempt:
            known = self.replies[message_id] = FollowedReply(self, message_id, attempt)
        return known if known.attempt == attempt else None

    def _end(self, message_id: str, attempt: int, text: str) -> None:
        """Deltas that were lost on the way are made up for: whoever puts them together has the whole text."""
        if reply := self._reply(message_id, attempt):
            reply.parts["text"].add(0, text)
        self.replies.pop(message_id, None)
        self._ended[message_id] = attempt
        if len(self._ended) > ENDED_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _close_hole(self, reply: FollowedReply) -> None:
        if (
            any(part.has_hole for part in reply.parts.values())
            and self._rereading is None
            and self.ready.is_set()
        ):
            self._rereading = asyncio.get_running_loop().create_task(self._reread())

    async def _reread(self) -> None:
        """The saved text catches up within half a second: read it until every hole is closed."""
        try:
            while any(part.has_hole for reply in self.replies.values() for part in reply.parts.values()):
                await self._read_saved()
                await asyncio.sleep(REREAD_SECONDS)
        finally:
            self._rereading = None

    async def _read_saved(self) -> None:
        for message_id, attempt, text, reasoning in await running_replies(self.conversation_id):
            reply = self._reply(str(message_id), attempt)
            if reply:
                reply.parts["reasoning"].add(0, reasoning)
                reply.parts["text"].add(0, text)

    def _start_drawing(self) -> None:
        self._timer = None
        if self._drawing and not self._drawing.done():
            self.draw_soon()  # a long text is still being drawn: what came meanwhile waits its turn
        elif self.is_drawing:
            self._drawing = asyncio.get_running_loop().create_task(self._draw())

    async def _draw(self) -> None:
        """Rendering runs in a thread: a hostile text may take long, and nobody else shall wait for it."""
        for reply in tuple(self.replies.values()):
            await reply.draw()


_followings: dict[uuid.UUID, Following] = {}


async def follow_conversation(
    conversation_id: uuid.UUID, watcher: Watcher, form: Form, *, attends: bool = True
) -> None:
    """Let the watcher hear the conversation from now on, beginning with what its running replies have said.

    With `attends` it also hears who is there. The caller has checked permission. `unfollow_conversation` undoes it.
    """
    following = _followings.setdefault(conversation_id, Following(conversation_id))
    following.watchers.add((watcher, form))
    try:
        await following.opened()
        if attends:
            await following.attended()
        await hub.join(watcher, following.group(form))
        for body in await following.snapshot(form):
            watcher.receive(Frame(body))
    except BaseException:
        unfollow_conversation(conversation_id, watcher, form)
        raise


def unfollow_conversation(conversation_id: uuid.UUID, watcher: Watcher, form: Form) -> None:
    """Safe to repeat."""
    following = _followings.get(conversation_id)
    if following is None:
        return
    hub.leave(watcher, following.group(form))
    following.watchers.discard((watcher, form))
    if not following.watchers:
        del _followings[conversation_id]
        following.close()
