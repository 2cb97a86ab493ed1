"""The three ways to be answered after asking for a reply: at once (202), when it has ended, or as it streams."""

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from chatcore.accounts.channels import principal_of
from chatcore.errors import Unauthenticated
from chatcore.ids import uuid7
from chatcore.offload import offload
from chatcore.realtime.frames import HEARTBEAT, Frame
from chatcore.realtime.handover import Continuation, JsonAnswer, hand_over
from chatcore.realtime.plain_asgi import now_and_then
from conversations.actions import Posted
from conversations.actions.access import find_conversation
from conversations.follow import Watches
from conversations.models import Message
from conversations.resources import MessageResource, PostedResource

MAX_WAIT_SECONDS = 25
_GRANTS = (
    "messages:read",
    "messages:write",
    "replies:write",
)  # each of them lets a reply be asked for or followed
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
`reply.completed`, `reply.failed` or `reply.stopped`.

Of several models: all of them at once. `message` in a frame tells which reply it is about, and the stream ends when
every reply has."""
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

Find = Callable[[], Awaitable[uuid.UUID]]
Ask = Callable[..., Awaitable[Posted]]


async def respond(request: HttpRequest, find: Find, ask: Ask, *, count: int = 1) -> HttpResponse:
    """Ask for replies and answer as the client wishes (`Prefer: wait=N`, `Accept: text/event-stream`, else 202).

    `find` tells the conversation; `ask` commits, unless the asker may not, given the ids of as many replies as may come
    to be: the watches on them are open before, so that not even a first word can be missed. The event loop cannot read
    the attachments of the message, so `ask` has done it.
    """
    seconds = wished_wait(request)
    streams = wants_stream(request)
    reply_ids = [uuid7() for _ in range(count)]
    if not streams and seconds is None:
        return _accepted(await ask(*reply_ids))
    watches = Watches(await find(), reply_ids, are_new=True)
    await watches.open()
    try:
        posted = await ask(*reply_ids)
        if posted.reply is None:
            watches.close()
            return _accepted(posted)
        asked = [reply.id for reply in posted.replies]
        if not watches.keep(asked):  # they were there before, and may have said much already
            watches.close()
            watches = Watches(watches.conversation_id, asked)
            await watches.open()
    except BaseException:
        watches.close()
        raise
    if streams:
        return hand_over(request, Continuation(close=watches.close, events=lambda: _events(watches, request)))
    response = hand_over(
        request, Continuation(close=watches.close, answer=lambda: _whole(watches, posted, seconds or 0))
    )
    response["Preference-Applied"] = f"wait={seconds}"
    return response


def wants_stream(request: HttpRequest) -> bool:
    return "text/event-stream" in request.headers.get("Accept", "")


def wished_wait(request: HttpRequest) -> int | None:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most 25."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else None


def posted_resource(posted: Posted) -> dict[str, Any]:
    reply = posted.reply
    resource = PostedResource(
        message=MessageResource.of(posted.message),
        reply=MessageResource.of(reply) if reply else None,
        replies=[MessageResource.of(one) for one in posted.replies],
        status_url=f"/api/v1/messages/{reply.id}/" if reply else None,
    )
    return resource.model_dump(mode="json")


def _accepted(posted: Posted) -> HttpResponse:
    body = posted_resource(posted)
    response = JsonResponse(body, status=202)
    if body["status_url"]:
        response["Location"] = body["status_url"]
    return response


async def follow(request: HttpRequest, reply: Message) -> Continuation:
    """The reply as it is written, from its beginning, whenever one comes to it."""
    watches = Watches(reply.conversation_id, [reply.id])
    await watches.open()
    return Continuation(close=watches.close, events=lambda: _events(watches, request))


async def _whole(watches: Watches, posted: Posted, seconds: int) -> JsonAnswer:
    first, *others = await watches.finished(seconds)
    if first is None:
        return JsonAnswer(202, posted_resource(posted))
    left = tuple(reply for reply in others if reply)
    status = 202 if any(reply.is_running for reply in (first, *left)) else 200
    return JsonAnswer(status, posted_resource(Posted(posted.message, first, others=left)))


def _events(watches: Watches, request: HttpRequest) -> AsyncIterator[bytes]:
    return frames_while(watches, lambda: _recheck(request, watches.conversation_id))


async def frames_while(watches: Watches, recheck: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
    """Server-sent events, as the HTML standard writes them; a comment keeps silent ones alive.

    Raises what `recheck` raises: what the asker would be told now, once it may no longer read on.
    """
    look = now_and_then(recheck)
    async for body in watches.frames():
        await look()
        yield Frame(body).sse if body else HEARTBEAT


async def _recheck(request: HttpRequest, conversation_id: uuid.UUID) -> None:
    principal = await principal_of(request.scope)  # type: ignore[attr-defined]
    if principal is None:
        raise Unauthenticated
    grant = next((each for each in _GRANTS if principal.selectors(each) != frozenset()), _GRANTS[0])
    await offload(find_conversation, principal, conversation_id, grant)
