"""What a live connection may do with conversations: follow one, send a message, stop a reply."""

import asyncio
import uuid
from typing import Any, Literal

from django.db import Error as DatabaseError

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, NotFound, Unavailable
from chatcore.offload import offload
from chatcore.realtime.events import Refused, Result
from chatcore.realtime.hub import Watcher
from chatcore.realtime.topics import ClientShape, Context, command, registry
from conversations.acknowledging import acknowledge
from conversations.actions import post_message, stop_reply
from conversations.actions.access import find_conversation
from conversations.actions.receipts import acknowledgement
from conversations.following import Form, follow_conversation, unfollow_conversation
from conversations.typing import is_news, say_typing


class ConversationSubscription:
    """One connection's interest in one conversation."""

    def __init__(self, conversation_id: uuid.UUID, watcher: Watcher, form: Form) -> None:
        self._conversation_id = conversation_id
        self._watcher = watcher
        self._form = form

    async def allowed(self, principal: Principal) -> bool:
        try:
            await offload(_check, principal, self._conversation_id)
        except ChatcoreError:
            return False
        return True

    def close(self) -> None:
        unfollow_conversation(self._conversation_id, self._watcher, self._form)


def _check(principal: Principal, conversation_id: uuid.UUID) -> None:
    find_conversation(principal, conversation_id, "messages:read")


class ConversationTopic:
    def check(self, principal: Principal, name: str) -> None:
        _check(principal, uuid.UUID(name))

    async def open(
        self, principal: Principal, name: str, watcher: Watcher, *, html: bool
    ) -> ConversationSubscription:
        await offload(self.check, principal, name)
        conversation_id = uuid.UUID(name)
        form: Form = "html" if html else "text"
        await follow_conversation(conversation_id, watcher, form)
        return ConversationSubscription(conversation_id, watcher, form)


class SendData(ClientShape):
    """Post a message and get a reply, as `POST /api/v1/conversations/{id}/replies` does."""

    conversation: uuid.UUID
    content: str
    model: str | None = None
    models: list[str] | None = None
    parent: uuid.UUID | None = None
    client_id: uuid.UUID | None = None


class StopData(ClientShape):
    """Stop a running reply; `message` is its id."""

    message: uuid.UUID


@command("send", SendData)
async def send(context: Context, data: SendData) -> dict[str, Any]:
    wishes = data.model_dump(exclude={"conversation", "content"}, exclude_none=True)
    posted = await offload(post_message, context.principal, data.conversation, text=data.content, **wishes)
    return {
        "message": str(posted.message.id),
        "reply": str(posted.reply.id) if posted.reply else None,
        "replies": [str(reply.id) for reply in posted.replies],
    }


@command("stop", StopData)
async def stop(context: Context, data: StopData) -> dict[str, Any]:
    reply = await offload(stop_reply, context.principal, data.message)
    return {"message": str(reply.id), "status": reply.status}


class TypingData(ClientShape):
    """You are writing in a conversation, or have stopped. Say it at most every two seconds."""

    conversation: uuid.UUID
    on: bool


class AckData(ClientShape):
    """Everything of the conversation up to this message has reached you, or you have read it."""

    conversation: uuid.UUID
    message: uuid.UUID
    state: Literal["delivered", "read"]


@command("typing", TypingData)
async def typing(context: Context, data: TypingData) -> None:
    if is_news(context.principal, data.conversation, on=data.on):
        await offload(find_conversation, context.principal, data.conversation, "messages:write")
        say_typing(context.principal, data.conversation, on=data.on)


@command("ack", AckData)
async def ack(context: Context, data: AckData) -> None:
    """Answered when it is committed; what the client says next does not wait for that."""
    item = await offload(acknowledgement, context.principal, data.message, data.state)
    if item.conversation != data.conversation:
        raise NotFound

    async def answer() -> None:
        try:
            await acknowledge(item)
        except DatabaseError:
            problem = Unavailable().problem()
            context.session.say(Refused.model_validate(problem), context.ref)
        else:
            context.session.say(Result(message=str(data.message), state=data.state), context.ref)

    task = asyncio.get_running_loop().create_task(answer())
    _answering.add(task)
    task.add_done_callback(_answering.discard)


_answering: set[asyncio.Task[None]] = set()


registry.topics["conversation"] = ConversationTopic()
