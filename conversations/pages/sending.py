"""Sending from the composer: the first message of a new conversation, and every further one."""

import uuid

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render

from chatcore.errors import Conflict
from conversations import actions, attachments
from conversations.actions.access import find_conversation
from conversations.models import Conversation, Member
from conversations.pages import thread
from conversations.pages.answers import chat_url
from conversations.pages.new import wished
from conversations.pages.requests import PageRequest, text_of, uuid_of


def start(request: PageRequest) -> HttpResponse:
    """A conversation with its first message, or neither. Scripts are told where it is.

    The client's id of the message names the conversation too: sent twice, it is started once.
    """
    client_id, files = uuid_of(request.POST.get("client_id")), _files(request)
    with transaction.atomic():
        conversation = _begun(request, client_id)
        actions.post_message(
            request.principal,
            conversation.id,
            text=text_of(request, "content"),
            models=request.POST.getlist("models") or None,
            client_id=client_id,
            attachments=files,
        )
    if not request.htmx:
        return redirect(chat_url(conversation))
    return HttpResponse(chat_url(conversation), status=201, content_type="text/plain")


def _begun(request: PageRequest, client_id: uuid.UUID | None) -> Conversation:
    if known := _known(request, client_id):
        return known
    try:
        with transaction.atomic():
            return actions.start_conversation(
                request.principal,
                model=request.POST.get("model") or None,
                conversation_id=client_id,
                **wished(request),
            )
    except IntegrityError:  # the same was sent a moment ago, or somebody else has an id that nobody guesses
        if known := _known(request, client_id):
            return known
        raise Conflict from None


def _known(request: PageRequest, conversation_id: uuid.UUID | None) -> Conversation | None:
    member = Member.objects.for_principal(request.principal).filter(conversation_id=conversation_id).first()
    return member.conversation if member else None


def send(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """A message at the end of the active branch. The answer is it and its queued reply, drawn."""
    files = _files(request)
    keep_model(request, conversation_id, request.POST.get("model", ""))
    posted = actions.post_message(
        request.principal,
        conversation_id,
        text=text_of(request, "content"),
        models=request.POST.getlist("models") or None,
        client_id=uuid_of(request.POST.get("client_id")),
        attachments=files,
    )
    conversation = find_conversation(request.principal, conversation_id)
    if not request.htmx:
        return redirect(chat_url(conversation, posted.message))
    context = {"thread": thread.just_added(conversation, posted.message, posted.reply)}
    return render(request, "conversations/thread.html#messages", context)


def _files(request: PageRequest) -> list[uuid.UUID]:
    """Those uploaded before; from a browser without scripts they come with the form."""
    if len(request.FILES) > 0:
        return [
            attachments.store(
                request.principal,
                name=file.name or "",
                media_type=file.content_type or "",
                content=file.read(),
            ).id
            for file in request.FILES.getlist("files")[: settings.ATTACHMENTS_PER_MESSAGE + 1]
        ]
    return [found for text in request.POST.getlist("attachments") if (found := uuid_of(text))]


def keep_model(request: PageRequest, conversation_id: uuid.UUID, name: str) -> None:
    """The model chosen in the composer answers from now on."""
    conversation = find_conversation(request.principal, conversation_id)
    if name and name != (conversation.model.name if conversation.model else ""):
        actions.update_conversation(request.principal, conversation_id, model=name)
