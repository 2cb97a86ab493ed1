"""Commands of the API, asynchronous: ask for a reply, stop it, continue it, try it again."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from ninja import Router

from chatcore.accounts.ninja import principal_of
from chatcore.accounts.principals import Principal
from chatcore.offload import in_request
from chatcore.realtime.handover import hand_over
from conversations import actions, asking
from conversations.acknowledging import acknowledge
from conversations.actions import Posted, Wish
from conversations.actions.access import find_conversation, find_message
from conversations.actions.comparisons import MOST
from conversations.actions.receipts import acknowledgement
from conversations.attendance import attendance_of
from conversations.bodies import AcknowledgementBody, EditedMessage, ModelChoice, Question, TypingBody
from conversations.errors import NotAReply
from conversations.models import Message
from conversations.resources import MessageResource, PostedResource, PresenceList, PresenceResource
from conversations.responding import MODES, STREAM, Ask, Find, follow, respond
from conversations.typing import say_typing

router = Router(tags=["replies"])

ANSWERS: dict[int, Any] = {200: PostedResource, 202: PostedResource}


@router.post(
    "/conversations/{uuid:id}/replies",
    response=ANSWERS,
    operation_id="ask",
    summary="Post a message and get a reply",
    openapi_extra=MODES,
    url_name="ask",
)
async def ask(request: HttpRequest, id: uuid.UUID, payload: Question) -> HttpResponse:
    """The reply is made whether you wait for it or not; a reply that still runs above it is waited for."""
    principal = principal_of(request)

    async def post(*reply_ids: uuid.UUID) -> Posted:
        return await asking.ask(principal, Wish(conversation_id=id, reply_ids=reply_ids, **payload.wishes()))

    async def find() -> uuid.UUID:
        return id

    return await respond(request, find, post, count=len(payload.models or ()) or 1)


@router.post(
    "/messages/{uuid:id}/edit",
    response=ANSWERS,
    operation_id="edit_message",
    summary="Say it differently",
    openapi_extra=MODES,
)
async def edit(request: HttpRequest, id: uuid.UUID, payload: EditedMessage) -> HttpResponse:
    """A new message beside the old one, with a reply to it. The old branch stays, and the new one is shown.

    What several models answered is answered by the same ones again, unless you name others.
    """
    principal = principal_of(request)

    def post(*reply_ids: uuid.UUID) -> Posted:
        return actions.edit_message(principal, id, reply_ids=reply_ids, **payload.wishes())

    find = _conversation_of(principal, id, "messages:write")
    return await respond(request, find, _in_thread(post), count=MOST)


@router.post(
    "/replies/{uuid:id}/regenerate",
    response=ANSWERS,
    operation_id="regenerate",
    summary="Get another reply beside this one",
    openapi_extra=MODES,
)
async def regenerate(request: HttpRequest, id: uuid.UUID, payload: ModelChoice | None = None) -> HttpResponse:
    """To the same message, by the same model or another one. The new reply is shown, the old one stays."""
    principal = principal_of(request)
    model = payload.model if payload else None

    def again(reply_id: uuid.UUID) -> Posted:
        return _asked(actions.regenerate_reply(principal, id, model=model, new_id=reply_id))

    return await respond(request, _conversation_of(principal, id, "replies:write"), _in_thread(again))


@router.post(
    "/replies/{uuid:id}/retry",
    response=ANSWERS,
    operation_id="retry",
    summary="Try a failed or stopped reply again",
    openapi_extra=MODES,
)
async def retry(request: HttpRequest, id: uuid.UUID, payload: ModelChoice | None = None) -> HttpResponse:
    """It is made anew in its own place; a reply that is complete is refused."""
    principal = principal_of(request)
    model = payload.model if payload else None
    return await respond(
        request,
        _conversation_of(principal, id, "replies:write"),
        _in_thread(lambda _: _asked(actions.retry_reply(principal, id, model=model))),
    )


@router.post(
    "/replies/{uuid:id}/continue",
    response=ANSWERS,
    operation_id="continue_reply",
    summary="Go on with a reply that broke off",
    openapi_extra=MODES,
)
async def continue_reply(
    request: HttpRequest, id: uuid.UUID, payload: ModelChoice | None = None
) -> HttpResponse:
    """One that failed, was stopped or reached the length limit, in its own place: what it said stays, and the model
    adds the rest. As a stream it is said from its beginning.
    """
    principal = principal_of(request)
    model = payload.model if payload else None
    return await respond(
        request,
        _conversation_of(principal, id, "replies:write"),
        _in_thread(lambda _: _asked(actions.continue_reply(principal, id, model=model))),
    )


@router.get(
    "/replies/{uuid:id}/events",
    operation_id="follow_reply",
    summary="Follow a reply as it is written",
    openapi_extra={"responses": {200: STREAM}},
)
async def follow_reply(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Server-sent events: what it has said so far, then the rest as it comes, then its end. One that has ended is
    told in two frames. Whoever was cut off asks again, and cuts what it knows by `attempt` and `offset`.
    """
    principal = principal_of(request)
    reply = await in_request(find_message, principal, id)
    if not reply.is_reply:
        raise NotAReply
    return hand_over(request, await follow(request, reply))


@router.post("/replies/{uuid:id}/stop", response=MessageResource, operation_id="stop", summary="Stop a reply")
async def stop(request: HttpRequest, id: uuid.UUID) -> MessageResource:
    """Its text so far is kept. One that runs ends a moment later; stopping one that has ended changes nothing."""
    reply = await in_request(actions.stop_reply, principal_of(request), id)
    return MessageResource.of(reply)


@router.post(
    "/replies/{uuid:id}/choose",
    response=MessageResource,
    operation_id="choose",
    summary="Prefer a reply to those it is compared with",
)
async def choose(request: HttpRequest, id: uuid.UUID) -> MessageResource:
    """Its branch is shown from now on, and /api/v1/comparisons/ tells of it. Choosing another later overwrites it."""
    comparison = await in_request(actions.choose_reply, principal_of(request), id)
    assert comparison.chosen
    return MessageResource.of(comparison.chosen)


@router.post(
    "/conversations/{uuid:id}/typing",
    response={204: None},
    operation_id="say_typing",
    summary="Say that you are writing",
    tags=["conversations"],
)
async def typing(request: HttpRequest, id: uuid.UUID, payload: TypingBody) -> HttpResponse:
    """Shown to whoever looks at the conversation for six seconds, or until you say that you have stopped."""
    principal = principal_of(request)
    await in_request(find_conversation, principal, id, "messages:write")
    say_typing(principal, id, on=payload.on)
    return HttpResponse(status=204)


@router.get(
    "/conversations/{uuid:id}/presence",
    response=PresenceList,
    operation_id="read_presence",
    summary="See who is there",
    tags=["conversations"],
)
async def presence(request: HttpRequest, id: uuid.UUID) -> PresenceList:
    """Members, and the integrations that wrote lately. Changes come as `presence` signals."""
    conversation = await in_request(find_conversation, principal_of(request), id)
    return PresenceList(
        results=[PresenceResource(**vars(found)) for found in await attendance_of(conversation.id)]
    )


@router.post(
    "/messages/{uuid:id}/acknowledge",
    response=AcknowledgementBody,
    operation_id="acknowledge",
    summary="Say that a message was delivered or read",
    tags=["messages"],
)
async def acknowledge_message(
    request: HttpRequest, id: uuid.UUID, payload: AcknowledgementBody
) -> AcknowledgementBody:
    """It and all before it. What has been read stays read, whatever comes later."""
    await acknowledge(await in_request(acknowledgement, principal_of(request), id, payload.state))
    return payload


def _conversation_of(principal: Principal, message_id: uuid.UUID, grant: str) -> Find:
    return partial(in_request, lambda: find_message(principal, message_id, grant).conversation_id)


def _in_thread(ask: Callable[..., Posted]) -> Ask:
    def with_files(*reply_ids: uuid.UUID) -> Posted:
        posted = ask(*reply_ids)
        prefetch_related_objects([posted.message], "attachments")
        return posted

    return partial(in_request, with_files)


def _asked(reply: Message) -> Posted:
    assert reply.parent
    return Posted(reply.parent, reply)
