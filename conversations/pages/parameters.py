"""What is wished of the replies in a conversation: its instructions and its model's parameters, in a form."""

import uuid

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from chatcore.errors import Invalid
from chatcore.llm.parameters import OTHER_NAMES
from conversations import actions
from conversations.models import Conversation
from conversations.pages.answers import done
from conversations.pages.choices import choices_for
from conversations.pages.fields import SYSTEM, Form, form_for
from conversations.pages.frame import frame
from conversations.pages.places import find_place
from conversations.pages.requests import PageRequest, page, show, text_of


@require_http_methods(["GET", "HEAD", "POST"])
@page
def parameters(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The form for the model that answers; a refused one comes back with what is wrong at each field (422)."""
    context = frame(request)
    conversation, member = find_place(request.principal, conversation_id)
    form = wishes_of(request, conversation)
    status = 200
    if request.method == "POST":
        form = form.filled({name: text_of(request, name) for name in request.POST})
        try:
            return done(request, _save(request, conversation, form), "params", "system")
        except Invalid as refusal:
            form, status = form.refused(refusal.errors), 422
    context |= {"conversation": conversation, "member": member, "wishes": form}
    response = show(request, "conversations/parameters.html", "form", context)
    response.status_code = status
    return response


@require_safe
@page
def mark(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The button beside the model picker: how much is set, and what the model does not know of it."""
    conversation, _ = find_place(request.principal, conversation_id)
    context = {"conversation": conversation, "wishes": wishes_of(request, conversation)}
    return render(request, "conversations/parameters.html#mark", context)


def wishes_of(request: PageRequest, conversation: Conversation) -> Form:
    return form_for(conversation, choices_for(request.principal, conversation).chosen)


def _save(request: PageRequest, conversation: Conversation, form: Form) -> Conversation:
    """Raises Invalid."""
    values, problems = form.values()
    changes = values | dict.fromkeys(request.POST.getlist("without"))
    changes |= {other: None for other, name in OTHER_NAMES.items() if name in values}
    if "clear" in request.POST:
        changes = dict.fromkeys([*changes, *(other.name for other in form.others)])
    elif problems:
        raise Invalid(problems[0].detail, errors=problems)
    return actions.adjust_conversation(
        request.principal, conversation.id, params=changes, system=text_of(request, SYSTEM)
    )
