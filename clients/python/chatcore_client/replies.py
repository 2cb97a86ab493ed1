"""Replies: ask for one in three ways, follow it as it grows, stop it, or have it made again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chatcore_client.assembly import Assemblies, Piece
from chatcore_client.errors import ChatcoreError, TransportFailed
from chatcore_client.flow import (
    Emit,
    Flow,
    Listing,
    Read,
    Request,
    Settings,
    Shut,
    Sleep,
    now,
    path,
    pause,
    send,
)
from chatcore_client.frames import curable, frame_of, open_stream
from chatcore_client.records import Asked, Message
from chatcore_client.resources import UNSET, Left, get_message, given, new_client_id
from chatcore_client.sse import Parser

LONGEST_WAIT = 25  # seconds the server waits at most
LOOK_FIRST, LOOK_LAST = 0.1, 5.0  # seconds between two looks at a reply


def ask(
    settings: Settings,
    conversation: str,
    content: str,
    *,
    wait: float | None = None,
    model: str | Left | None = UNSET,
    models: Sequence[str] | Left = UNSET,
    parent: str | Left | None = UNSET,
    params: Mapping[str, Any] | Left = UNSET,
    client_id: str | None = None,
) -> Flow[Asked]:
    """Post a message and have it answered. The reply is made whether you wait for it or not.

    Without `wait` the answer comes at once and the reply is queued. With it, the reply is whole, or as far as it has
    come after so many seconds; `math.inf` waits for its end.

    With `models`, two to four, each of them replies: `replies` of the answer has them all, whole after `wait`.
    """
    fields = given(model=model, models=models, parent=parent, params=params)
    request = _question(conversation, content, client_id, fields)
    asked_at = now()
    if wait:
        seconds = math.ceil(min(wait, LONGEST_WAIT))
        request = _headers(request, {"Prefer": f"wait={seconds}"}, patience=seconds)
    asked = Asked.of((yield from send(settings, request)).json)
    return (yield from _awaited(settings, asked, (wait or 0) - (now() - asked_at)))


def question(
    conversation: str,
    content: str,
    *,
    model: str | Left | None = UNSET,
    models: Sequence[str] | Left = UNSET,
    parent: str | Left | None = UNSET,
    params: Mapping[str, Any] | Left = UNSET,
    client_id: str | None = None,
) -> Request:
    """A message that wants a reply, to be streamed; with `models`, two to four, a reply of each of them.

    `piece.reply` is the id of the reply that a piece is of.
    """
    fields = given(model=model, models=models, parent=parent, params=params)
    return _question(conversation, content, client_id, fields)


def edit(
    settings: Settings,
    message: str,
    content: str,
    *,
    model: str | Left | None = UNSET,
    models: Sequence[str] | Left = UNSET,
    wait: float | None = None,
) -> Flow[Asked]:
    """Say it differently: a new message beside the old one, with a reply to it. Both branches stay.

    What several models answered is answered by the same ones again, unless others are named.
    """
    body = {"content": content} | given(model=model, models=models)
    return (yield from _again(settings, path("messages", message, "edit"), body, wait))


def regenerate(
    settings: Settings, reply: str, *, model: str | Left | None = UNSET, wait: float | None = None
) -> Flow[Asked]:
    """Another reply beside this one, which is then shown."""
    return (yield from _again(settings, path("replies", reply, "regenerate"), given(model=model), wait))


def retry(
    settings: Settings, reply: str, *, model: str | Left | None = UNSET, wait: float | None = None
) -> Flow[Asked]:
    """Make a failed or stopped reply anew, in its own place."""
    return (yield from _again(settings, path("replies", reply, "retry"), given(model=model), wait))


def continue_(
    settings: Settings, reply: str, *, model: str | Left | None = UNSET, wait: float | None = None
) -> Flow[Asked]:
    """Continue a reply that failed, was stopped or reached the length limit: what it said stays."""
    return (yield from _again(settings, path("replies", reply, "continue"), given(model=model), wait))


def stop(settings: Settings, reply: str) -> Flow[Message]:
    """End it and keep its text so far. Stopping one that has ended changes nothing."""
    answer = yield from send(settings, Request("POST", path("replies", reply, "stop")))
    return Message.of(answer.json)


def choose(settings: Settings, reply: str) -> Flow[Message]:
    """Prefer it to the replies it is compared with; its branch is shown. Another one can be chosen later."""
    answer = yield from send(settings, Request("POST", path("replies", reply, "choose")))
    return Message.of(answer.json)


def wait_for(settings: Settings, reply: str, seconds: float = math.inf) -> Flow[Message]:
    """The reply once it has ended, or as far as it has come when the time is over.

    Looks again after a tenth of the time it took so far, so that long waits cost the server little.
    """
    begun = now()
    while True:
        found = yield from get_message(settings, reply)
        passed = now() - begun
        if not found.is_running or passed >= seconds:
            return found
        yield Sleep(min(max(LOOK_FIRST, passed / 10), LOOK_LAST, seconds - passed))


def follow(settings: Settings, replies: Assemblies, opening: Request | None = None) -> Listing[Piece]:
    """The replies as they grow, to their ends, over as many connections as that takes; `opening` asks for them.

    What was known before a connection was cut is not said again: the next one begins with all there is.
    """
    failures = 0
    while not replies.have_ended:
        parser = Parser()
        request = opening
        if request is None or replies.are_known:
            request = Request("GET", path("replies", str(replies.unended[0].reply_id), "events"))
        try:
            yield from open_stream(request)
            left = replies.unended if request is not opening else None
            while not replies.have_ended and (left is None or left[:1] == replies.unended[:1]):
                chunk = yield Read()
                if not chunk:
                    raise TransportFailed("The stream ended before the reply did.")
                for event in parser.feed(chunk):
                    for piece in replies.take(frame_of(event)):
                        yield Emit(piece)
                    failures = 0
            yield Shut()
        except ChatcoreError as error:
            yield Shut()
            failures += 1
            yield from pause(settings, failures, curable(error))
    for one in replies.known:
        reply = yield from get_message(settings, str(one.reply_id))
        for piece in one.finish(reply):
            yield Emit(piece)


def _question(conversation: str, content: str, client_id: str | None, fields: Mapping[str, Any]) -> Request:
    body = {"content": content, "client_id": client_id or new_client_id(), **fields}
    return Request("POST", path("conversations", conversation, "replies"), body=body)


def _again(settings: Settings, address: str, body: Mapping[str, Any], wait: float | None) -> Flow[Asked]:
    """These have no client_id: what may have been done already is not tried again."""
    answer = yield from send(settings, Request("POST", address, body=body, repeatable=False))
    return (yield from _awaited(settings, Asked.of(answer.json), wait or 0))


def _awaited(settings: Settings, asked: Asked, seconds: float) -> Flow[Asked]:
    until, replies = now() + seconds, []
    for reply in asked.replies or (asked.reply,):
        left = until - now()
        wanted = reply.is_running and left > 0
        replies.append((yield from wait_for(settings, reply.id, left)) if wanted else reply)
    return replace(asked, reply=replies[0], replies=tuple(replies))


def _headers(request: Request, headers: Mapping[str, str], *, patience: float = 0.0) -> Request:
    return replace(request, headers={**request.headers, **headers}, patience=patience)
