"""What is done to one message: edit, regenerate, retry, continue, stop, choose, another branch, delete."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from conversations import actions
from conversations.actions.access import find_conversation
from conversations.models import Message
from conversations.pages import choices, thread
from conversations.pages.answers import chat_url
from conversations.pages.frame import frame
from conversations.pages.places import find_place, message_at
from conversations.pages.requests import PageRequest, page, show, text_of


@require_http_methods(["GET", "HEAD", "POST"])
@page
def edit(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """A form in the message's place; its text becomes another branch."""
    found = message_at(request.principal, conversation_id, message_id)
    if request.method == "POST":
        posted = actions.edit_message(request.principal, found.id, text=text_of(request, "content"))
        return _thread_with(request, conversation_id, posted.message)
    return _form(request, "conversations/edit.html", found)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def regenerate(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Another reply beside this one; the page lets choose its model."""
    found = message_at(request.principal, conversation_id, message_id)
    if request.method == "POST":
        model = request.POST.get("model") or None
        return _thread_with(
            request, conversation_id, actions.regenerate_reply(request.principal, found.id, model=model)
        )
    return _form(
        request, "conversations/regenerate.html", found, choices=choices.choices_for(request.principal)
    )


@require_POST
@page
def retry(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    found = message_at(request.principal, conversation_id, message_id)
    model = request.POST.get("model") or None
    return _thread_with(
        request, conversation_id, actions.retry_reply(request.principal, found.id, model=model)
    )


@require_POST
@page
def continue_(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """What it said stays; the rest comes by the live connection."""
    found = message_at(request.principal, conversation_id, message_id)
    return _thread_with(request, conversation_id, actions.continue_reply(request.principal, found.id))


@require_POST
@page
def stop(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """htmx hears of the end by the live connection, with the words that were still said."""
    found = message_at(request.principal, conversation_id, message_id)
    reply = actions.stop_reply(request.principal, found.id)
    return _thread_with(request, conversation_id, reply)


@require_POST
@page
def branch(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """The branch `step` siblings further (before, if negative)."""
    found = message_at(request.principal, conversation_id, message_id)
    step = -1 if request.POST.get("step") == "-1" else 1
    actions.choose_branch(request.principal, found.id, step=step)
    return _thread_with(request, conversation_id)


@require_POST
@page
def choose(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """This reply rather than those it is compared with."""
    found = message_at(request.principal, conversation_id, message_id)
    actions.choose_reply(request.principal, found.id)
    return _thread_with(request, conversation_id)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def delete(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Asks first: everything below the message goes with it."""
    found = message_at(request.principal, conversation_id, message_id)
    if request.method == "POST":
        actions.delete_message(request.principal, found.id)
        return _thread_with(request, conversation_id)
    below = len(Message.objects.below(found.id)) - 1
    return _form(request, "conversations/delete_message.html", found, below=below)


def _form(request: PageRequest, template: str, message: Message, **context: Any) -> HttpResponse:
    around = frame(request)
    conversation, member = find_place(request.principal, message.conversation_id)
    whole = around | {"conversation": conversation, "member": member, "message": message} | context
    return show(request, template, "form", whole)


def _thread_with(
    request: PageRequest, conversation_id: uuid.UUID, message: Message | None = None
) -> HttpResponse:
    """The thread as it is now; a browser without scripts goes to it, and to the message in it."""
    conversation = find_conversation(request.principal, conversation_id)
    if not request.htmx:
        return redirect(chat_url(conversation, message))
    return render(request, "conversations/thread.html", {"thread": thread.newest(conversation)})
