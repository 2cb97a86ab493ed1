"""Answers to what was done on a page: news for htmx, another page for a browser without scripts."""

import json
import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from conversations import events
from conversations.models import Conversation, Message
from conversations.pages.requests import PageRequest


def done(
    request: PageRequest, conversation: Conversation, *changed: str, notice: str = "", undo: str = ""
) -> HttpResponse:
    """The conversation changed. htmx is told it as the live connection tells it; others go to the chat."""
    if not request.htmx:
        if notice:
            messages.info(request, notice)
        return redirect(chat_url(conversation))
    data = events.state_of(conversation) | {"changed": changed}
    news = _frame("conversation.updated", conversation.id, data)
    if notice:
        news["notice"] = {"text": notice, "undo": undo}
    return _telling(news)


def leaving(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The conversation is gone: whoever shows it goes to a new chat."""
    if not request.htmx:
        messages.info(request, _("The conversation is deleted."))
        return redirect("new")
    return _telling(_frame("conversation.deleted", conversation_id, {}))


def chat_url(conversation: Conversation, message: Message | None = None) -> str:
    place = f"#m-{message.id}" if message else ""
    return reverse("chat", args=[conversation.id]) + place


def _frame(kind: str, conversation_id: uuid.UUID, data: dict[str, Any]) -> dict[str, Any]:
    return {f"live:{kind}": {"type": kind, "conversation": str(conversation_id), "data": data}}


def _telling(news: dict[str, Any]) -> HttpResponse:
    """An empty answer that htmx turns into DOM events."""
    response = HttpResponse(status=204)
    response["HX-Trigger"] = json.dumps(news)
    return response
