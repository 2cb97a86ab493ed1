"""Commands of the API, asynchronous: ask for a reply, stop it, try it again."""

import uuid
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.actions import Posted
from conversations.actions.access import find_conversation, find_message
from conversations.models import Message
from conversations.resources import MessageResource, PostedResource
from conversations.responding import respond

router = Router(tags=["replies"])

ANSWERS: dict[int, Any] = {200: PostedResource, 202: PostedResource}
STREAMS = {
    "responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": r"^wait=\d{1,2}$"},
            "description": "`wait=N`: answer when the reply has ended, or after N (at most 25) seconds.",
        }
    ],
}


class Strict(Schema):
    model_config = ConfigDict(extra="forbid")


class Ask(Strict):
    """A user's message that wants a reply."""

    content: str = Field(
        description="The text, Markdown; at most 32,000 characters.", examples=["What is new?"]
    )
    model: str | None = Field(
        None, description="A name from /api/v1/models/; else the conversation's, else the default."
    )
    parent: uuid.UUID | None = Field(
        None, description="The message to answer to; else the end of the active branch."
    )
    params: dict[str, Any] = Field(default_factory=dict, description="Model parameters, e.g. temperature.")
    client_id: uuid.UUID | None = Field(None, description="Your own id: the same one is stored once.")


class Another(Strict):
    """Which model shall make it; else the same one."""

    model: str | None = None


class Edit(Another):
    content: str


@router.post(
    "/conversations/{uuid:id}/replies",
    response=ANSWERS,
    operation_id="ask",
    openapi_extra=STREAMS,
    url_name="ask",
)
async def ask(request: HttpRequest, id: uuid.UUID, payload: Ask) -> HttpResponse:
    """Post a message and get a reply: 202 at once, 200 when it has ended (`Prefer: wait=N`), or as it streams
    (`Accept: text/event-stream`: reply.started, reply.delta…, reply.completed, reply.failed or reply.stopped)."""
    principal = _principal(request)
    wishes = payload.model_dump(exclude={"content"}, exclude_none=True)

    def post(reply_id: uuid.UUID) -> Posted:
        return actions.post_message(principal, id, text=payload.content, reply_id=reply_id, **wishes)

    return await respond(request, _conversation(principal, id), post)


@router.post("/messages/{uuid:id}/edit", response=ANSWERS, operation_id="edit_message", openapi_extra=STREAMS)
async def edit(request: HttpRequest, id: uuid.UUID, payload: Edit) -> HttpResponse:
    """Say it differently: a new sibling of the message, with a reply to it. Answers like posting a message."""
    principal = _principal(request)

    def post(reply_id: uuid.UUID) -> Posted:
        return actions.edit_message(
            principal, id, text=payload.content, model=payload.model, reply_id=reply_id
        )

    return await respond(request, _conversation_of(principal, id), post)


@router.post(
    "/replies/{uuid:id}/regenerate", response=ANSWERS, operation_id="regenerate", openapi_extra=STREAMS
)
async def regenerate(request: HttpRequest, id: uuid.UUID, payload: Another) -> HttpResponse:
    """Another reply beside this one."""
    principal = _principal(request)

    def again(reply_id: uuid.UUID) -> Posted:
        return _asked(actions.regenerate_reply(principal, id, model=payload.model, new_id=reply_id))

    return await respond(request, _conversation_of(principal, id), again)


@router.post("/replies/{uuid:id}/retry", response=ANSWERS, operation_id="retry", openapi_extra=STREAMS)
async def retry(request: HttpRequest, id: uuid.UUID, payload: Another) -> HttpResponse:
    """Make a failed or stopped reply anew, in its own place."""
    principal = _principal(request)
    return await respond(
        request,
        _conversation_of(principal, id),
        lambda _: _asked(actions.retry_reply(principal, id, model=payload.model)),
    )


@router.post("/replies/{uuid:id}/stop", response=MessageResource, operation_id="stop")
async def stop(request: HttpRequest, id: uuid.UUID) -> MessageResource:
    """End a reply and keep its text so far. Stopping one that has ended changes nothing."""
    reply = await sync_to_async(actions.stop_reply)(_principal(request), id)
    return MessageResource.of(reply)


def _principal(request: HttpRequest) -> Principal:
    principal: Principal = request.auth  # type: ignore[attr-defined]
    return principal


def _conversation(principal: Principal, conversation_id: uuid.UUID) -> Callable[[], uuid.UUID]:
    return lambda: find_conversation(principal, conversation_id, "messages:write").id


def _conversation_of(principal: Principal, message_id: uuid.UUID) -> Callable[[], uuid.UUID]:
    return lambda: find_message(principal, message_id).conversation_id


def _asked(reply: Message) -> Posted:
    assert reply.parent
    return Posted(reply.parent, reply)
