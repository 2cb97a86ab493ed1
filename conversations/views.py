"""The web pages of the chat, and the parts of them that htmx asks for again."""

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from conversations.actions.access import find_conversation
from conversations.models import Conversation, Member
from conversations.pages import choices, listing, sending, thread
from conversations.pages.fields import form_for
from conversations.pages.files import file_limits
from conversations.pages.frame import frame
from conversations.pages.new import new_page
from conversations.pages.places import find_place, message_at
from conversations.pages.requests import PageRequest, page, show, uuid_of


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new(request: PageRequest) -> HttpResponse:
    """A new chat; posting to it starts the conversation."""
    if request.method == "POST":
        return sending.start(request)
    return new_page(request, draft=request.GET.get("prompt", ""))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def chat(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """One conversation; posting to it adds a message and queues the reply."""
    if request.method == "POST":
        return sending.send(request, conversation_id)
    context = frame(request)
    conversation, member = find_place(request.principal, conversation_id)
    return show(
        request, "conversations/chat.html", "main", context | _chat_context(request, conversation, member)
    )


@require_safe
@page
def bar(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The heading of a chat."""
    conversation, member = find_place(request.principal, conversation_id)
    return render(request, "conversations/chat.html#bar", {"conversation": conversation, "member": member})


@require_safe
@page
def messages(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The newest messages of the active branch; with `above`, those before that message."""
    conversation = find_conversation(request.principal, conversation_id, "messages:read")
    return render(request, "conversations/thread.html", {"thread": _thread(request, conversation)})


@require_safe
@page
def message(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """One message, drawn as everywhere."""
    found = message_at(request.principal, conversation_id, message_id)
    return render(request, "conversations/message.html", {"message": thread.drawn(found)})


@require_safe
@page
def message_text(request: PageRequest, conversation_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """What was written, as it was written: for the clipboard."""
    found = message_at(request.principal, conversation_id, message_id)
    return HttpResponse(found.text, content_type="text/plain; charset=utf-8")


@require_safe
@page
def conversations(request: PageRequest) -> HttpResponse:
    return _list(request, archived=False)


@require_safe
@page
def archived(request: PageRequest) -> HttpResponse:
    return _list(request, archived=True)


@require_safe
@page
def row(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The conversation's line in the open list under its heading; nothing where it is not in there."""
    _, member = find_place(request.principal, conversation_id)
    rows = [] if member.archived_at else listing.rows_of([member])
    return render(request, "conversations/rows.html", {"rows": rows})


@require_safe
@page
def options(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """What can be done with a conversation: a menu for htmx, a page for others."""
    context = frame(request)
    conversation, member = find_place(request.principal, conversation_id)
    context |= {"conversation": conversation, "member": member}
    return show(request, "conversations/options.html", "menu", context)


def _chat_context(request: PageRequest, conversation: Conversation, member: Member) -> dict[str, Any]:
    offered = choices.choices_for(request.principal, conversation)
    return {
        "conversation": conversation,
        "member": member,
        "thread": _thread(request, conversation),
        "choices": offered,
        "wishes": form_for(offered.chosen, params=conversation.params, system=conversation.system),
        "shared": Member.objects.filter(conversation=conversation).exclude(pk=member.pk).exists(),
        "limit": settings.MAX_TEXT_LENGTH,
        "files": file_limits(),
    }


def _thread(request: PageRequest, conversation: Conversation) -> thread.Thread:
    if above := request.GET.get("above"):
        return thread.above(conversation, message_at(request.principal, conversation.id, uuid_of(above)))
    return thread.newest(conversation)


def _list(request: PageRequest, *, archived: bool) -> HttpResponse:
    """A page with the list in its middle, or the rows alone: the first ones, or those behind `after`."""
    context = frame(request)
    sought = request.GET.get("q", "").strip()[:200]
    if after := request.GET.get("after"):
        under = request.GET.get("under", "")
        found = listing.next_page(request.principal, after, under=under, sought=sought, archived=archived)
    else:
        found = listing.first_page(request.principal, sought=sought, archived=archived)
    part = "main" if request.htmx.target == "main" else "rows"
    return show(request, "conversations/list.html", part, context | {"found": found})
