"""The three ways to be answered after asking for a reply: at once (202), when it has ended, or as it streams."""

import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse

from chatcore.ids import uuid7
from chatcore.realtime.frames import HEARTBEAT, Frame
from chatcore.realtime.handover import Continuation, JsonAnswer, hand_over
from conversations.actions import Posted
from conversations.follow import ReplyWatch
from conversations.models import Message
from conversations.resources import MessageResource, PostedResource

MAX_WAIT_SECONDS = 25
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*(\d{1,6})", re.ASCII | re.IGNORECASE)
_STREAM = """event: reply.delta
data: {"type":"reply.delta","data":{"message":"0191…","attempt":1,"part":"text","offset":0,"text":"Hel"}}

event: reply.completed
data: {"type":"reply.completed","data":{"message":"0191…","attempt":1,"text":"Hello.","usage":null}}

"""
STREAM: dict[str, Any] = {
    "description": "Server-sent events, see docs/events.md.",
    "content": {"text/event-stream": {"schema": {"description": "Server-sent events."}, "example": _STREAM}},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": r"^wait=\d{1,2}$"},
    "example": f"wait={MAX_WAIT_SECONDS}",
    "description": f"`wait=N`: answer when the reply has ended, at most N (up to {MAX_WAIT_SECONDS}) seconds later.",
}
_WHOLE = """With `Prefer: wait=N`: the message and its whole reply.

With `Accept: text/event-stream`: the reply as it is written: `reply.started`, `reply.delta`…, and at last
`reply.completed`, `reply.failed` or `reply.stopped`."""
_QUEUED = "Stored; the reply will be made. `status_url`, also in Location, is where it can be read."

# How the API's document describes a command that answers in these ways.
MODES: dict[str, Any] = {
    "parameters": [_PREFER],
    "responses": {
        200: STREAM | {"description": _WHOLE},
        202: {
            "description": _QUEUED,
            "headers": {"Location": {"schema": {"type": "string", "format": "uri-reference"}}},
        },
    },
}

Ask = Callable[[uuid.UUID], Posted]


async def respond(request: HttpRequest, find_conversation: Callable[[], uuid.UUID], ask: Ask) -> HttpResponse:
    """Ask for a reply and answer as the client wishes (`Prefer: wait=N`, `Accept: text/event-stream`, else 202).

    `find_conversation` checks that the conversation is the asker's; `ask` commits, given the reply's id to be: the
    watch on it is open before, so that not even its first word can be missed.
    """
    seconds = wished_wait(request)
    streams = "text/event-stream" in request.headers.get("Accept", "")
    reply_id = uuid7()
    if not streams and seconds is None:
        return _accepted(await sync_to_async(ask)(reply_id))
    watch = ReplyWatch(await sync_to_async(find_conversation)(), reply_id)
    await watch.open()
    try:
        posted = await sync_to_async(ask)(reply_id)
    except BaseException:
        watch.close()
        raise
    if posted.reply is None:
        watch.close()
        return _accepted(posted)
    if posted.reply.id != reply_id:  # it was there before, and may have said much already
        watch.close()
        watch = ReplyWatch(watch.conversation_id, posted.reply.id)
        await watch.open()
    if streams:
        return hand_over(request, Continuation(close=watch.close, events=lambda: _events(watch)))
    response = hand_over(
        request, Continuation(close=watch.close, answer=lambda: _whole(watch, posted, seconds or 0))
    )
    response["Preference-Applied"] = f"wait={seconds}"
    return response


def wished_wait(request: HttpRequest) -> int | None:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most 25."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else None


def posted_resource(posted: Posted) -> dict[str, Any]:
    reply = posted.reply
    resource = PostedResource(
        message=MessageResource.of(posted.message),
        reply=MessageResource.of(reply) if reply else None,
        status_url=f"/api/v1/messages/{reply.id}/" if reply else None,
    )
    return resource.model_dump(mode="json")


def _accepted(posted: Posted) -> HttpResponse:
    body = posted_resource(posted)
    response = JsonResponse(body, status=202)
    if body["status_url"]:
        response["Location"] = body["status_url"]
    return response


async def follow(reply: Message) -> Continuation:
    """The reply as it is written, from its beginning, whenever one comes to it."""
    watch = ReplyWatch(reply.conversation_id, reply.id)
    await watch.open()
    return Continuation(close=watch.close, events=lambda: _events(watch))


async def _whole(watch: ReplyWatch, posted: Posted, seconds: int) -> JsonAnswer:
    reply = await watch.finished(seconds)
    if reply is None:
        return JsonAnswer(202, posted_resource(posted))
    status = 202 if reply.is_running else 200
    return JsonAnswer(status, posted_resource(Posted(posted.message, reply)))


async def _events(watch: ReplyWatch) -> AsyncIterator[bytes]:
    """Server-sent events, as the HTML standard writes them; a comment keeps silent ones alive."""
    async for body in watch.frames():
        yield Frame(body).sse if body else HEARTBEAT
