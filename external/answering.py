"""The three ways to be answered for a message from outside: at once, when the reply has ended, as it streams."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from pydantic_core import to_json

from chatcore.accounts.channels import principal_of
from chatcore.accounts.principals import Principal
from chatcore.errors import Unauthenticated
from chatcore.offload import offload
from chatcore.realtime.frames import Frame, signal
from chatcore.realtime.handover import Continuation, JsonAnswer, hand_over
from conversations.follow import Watches
from conversations.resources import MessageResource
from conversations.responding import frames_while, wants_stream, wished_wait
from external.events import ExternalAccepted
from external.idempotency import REPLAYED, Answer


async def answer(request: HttpRequest, principal: Principal, answered: Answer) -> HttpResponse:
    """What was committed, as the client wishes to be told of it (`Prefer: wait=N`, `Accept: text/event-stream`)."""
    response = await _in_its_way(request, principal, answered)
    response["Location"] = answered.body["status_url"]
    if answered.replayed:
        response[REPLAYED] = "true"
    return response


async def _in_its_way(request: HttpRequest, principal: Principal, answered: Answer) -> HttpResponse:
    body, seconds = answered.body, wished_wait(request)
    streams = wants_stream(request)
    if body["reply"] is None or (seconds is None and not streams):
        return at_once(answered)
    watches = Watches(uuid.UUID(body["conversation"]), [uuid.UUID(body["reply"]["id"])])
    await watches.open()
    if streams:
        return hand_over(
            request,
            Continuation(close=watches.close, events=lambda: _events(request, principal, body, watches)),
        )
    response = hand_over(
        request, Continuation(close=watches.close, answer=lambda: _whole(body, watches, seconds or 0))
    )
    response["Preference-Applied"] = f"wait={seconds}"
    return response


def at_once(answered: Answer) -> HttpResponse:
    return HttpResponse(to_json(answered.body), status=answered.status, content_type="application/json")


async def _whole(body: dict[str, Any], watches: Watches, seconds: int) -> JsonAnswer:
    (reply,) = await watches.finished(seconds)
    if reply is None:
        return JsonAnswer(202, body)
    shown = body | {"reply": (await offload(MessageResource.of, reply)).model_dump(mode="json")}
    return JsonAnswer(202 if reply.is_running else 200, shown)


async def _events(
    request: HttpRequest, principal: Principal, body: dict[str, Any], watches: Watches
) -> AsyncIterator[bytes]:
    async def recheck() -> None:
        """The user of the message need not be the key's: that the key still holds is enough."""
        now = await principal_of(request.scope)  # type: ignore[attr-defined]
        if now is None or now.integration != principal.integration:
            raise Unauthenticated

    first = ExternalAccepted(
        message=body["message"]["id"],
        conversation=body["conversation"],
        reply=body["reply"]["id"],
        duplicate=body["duplicate"],
        strategy=body["strategy"],
    )
    yield Frame(signal(first, body["conversation"])).sse
    async for frame in frames_while(watches, recheck):
        yield frame
