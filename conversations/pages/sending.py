"""Sending from the composer: the first message of a new conversation, and every further one."""

import uuid

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render

from conversations import actions
from conversations.actions.access import find_conversation
from conversations.pages import thread
from conversations.pages.answers import chat_url
from conversations.pages.requests import PageRequest, text_of, uuid_of


def start(request: PageRequest) -> HttpResponse:
    """A conversation with its first message, or neither. Scripts are told where it is."""
    with transaction.atomic():
        conversation = actions.start_conversation(request.principal, model=request.POST.get("model") or None)
        actions.post_message(
            request.principal,
            conversation.id,
            text=text_of(request, "content"),
            client_id=uuid_of(request.POST.get("client_id")),
        )
    if not request.htmx:
        return redirect(chat_url(conversation))
    return HttpResponse(chat_url(conversation), status=201, content_type="text/plain")


def send(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """A message at the end of the active branch. The answer is it and its queued reply, drawn."""
    keep_model(request, conversation_id, request.POST.get("model", ""))
    posted = actions.post_message(
        request.principal,
        conversation_id,
        text=text_of(request, "content"),
        client_id=uuid_of(request.POST.get("client_id")),
    )
    conversation = find_conversation(request.principal, conversation_id)
    if not request.htmx:
        return redirect(chat_url(conversation, posted.message))
    context = {"thread": thread.just_added(conversation, posted.message, posted.reply)}
    return render(request, "conversations/thread.html#messages", context)


def keep_model(request: PageRequest, conversation_id: uuid.UUID, name: str) -> None:
    """The model chosen in the composer answers from now on."""
    conversation = find_conversation(request.principal, conversation_id)
    if name and name != (conversation.model.name if conversation.model else ""):
        actions.update_conversation(request.principal, conversation_id, model=name)
