"""The page of a new chat, and what is wished of the replies before there is a conversation that could hold it."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse

from chatcore.texts import refused
from conversations.pages.choices import choices_for
from conversations.pages.fields import SYSTEM, Form, form_for
from conversations.pages.files import file_limits
from conversations.pages.frame import frame, greeting
from conversations.pages.listing import recent
from conversations.pages.requests import PageRequest, show, text_of
from conversations.pages.starters import STARTERS
from conversations.texts import checked_params


def new_page(request: PageRequest, *, draft: str, wishes: Form | None = None) -> HttpResponse:
    """With what was written so far; the instructions and parameters go along with the first message."""
    choices = choices_for(request.principal, name=request.POST.get("model", ""))
    context = frame(request) | {
        "greeting": greeting(),
        "starters": STARTERS,
        "recent": recent(request.principal),
        "choices": choices,
        "wishes": wishes or form_for(choices.chosen),
        "draft": draft,
        "limit": settings.MAX_TEXT_LENGTH,
        "files": file_limits(),
    }
    return show(request, "conversations/new.html", "main", context)


def wished(request: PageRequest) -> dict[str, Any]:
    """`params` and `system`, as the composer of a new chat carries them. Raises Invalid."""
    try:
        params = json.loads(request.POST.get("params") or "{}")
    except (ValueError, RecursionError):
        raise refused("/params", "must be JSON", "type") from None
    return {"params": checked_params(params), SYSTEM: text_of(request, SYSTEM)}


def wishes_carried(request: PageRequest) -> Form:
    """The form for the model that the composer names, with what it carries. Raises Invalid."""
    choices = choices_for(request.principal, name=request.POST.get("model", ""))
    return form_for(choices.chosen, **wished(request))
