"""What is done to a conversation as a whole: rename, pin, archive, choose its model, delete."""

import uuid

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from conversations import actions
from conversations.pages.answers import done, leaving
from conversations.pages.frame import frame
from conversations.pages.places import find_place
from conversations.pages.requests import PageRequest, page, show


@require_http_methods(["GET", "HEAD", "POST"])
@page
def rename(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    if request.method == "POST":
        title = request.POST.get("title", "")
        conversation = actions.rename_conversation(request.principal, conversation_id, title)
        return done(request, conversation, "title")
    return _form(request, "conversations/rename.html", conversation_id)


@require_POST
@page
def pin(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    conversation = actions.pin_conversation(request.principal, conversation_id)
    return done(request, conversation, "pinned")


@require_POST
@page
def unpin(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    conversation = actions.unpin_conversation(request.principal, conversation_id)
    return done(request, conversation, "pinned")


@require_POST
@page
def archive(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    conversation = actions.archive_conversation(request.principal, conversation_id)
    undo = reverse("unarchive", args=[conversation_id])
    return done(request, conversation, "archived", notice=_("Moved to the archive."), undo=undo)


@require_POST
@page
def unarchive(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    conversation = actions.unarchive_conversation(request.principal, conversation_id)
    return done(request, conversation, "archived", notice=_("Back in the list."))


@require_POST
@page
def choose_model(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The model that answers from now on."""
    name = request.POST.get("model") or None
    conversation = actions.update_conversation(request.principal, conversation_id, model=name)
    return done(request, conversation, "model")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def delete(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Asks first. htmx hears of the end as the live connection tells of it."""
    if request.method == "POST":
        actions.delete_conversation(request.principal, conversation_id)
        return leaving(request, conversation_id)
    return _form(request, "conversations/delete.html", conversation_id)


def _form(request: PageRequest, template: str, conversation_id: uuid.UUID) -> HttpResponse:
    context = frame(request)
    conversation, member = find_place(request.principal, conversation_id)
    return show(request, template, "form", context | {"conversation": conversation, "member": member})
