"""What is wished of the replies in a conversation: its instructions and its model's parameters, in a form."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatcore.errors import Invalid
from chatcore.llm.parameters import OTHER_NAMES
from conversations import actions
from conversations.actions.conversations import new_conversation
from conversations.models import Conversation
from conversations.pages.answers import done
from conversations.pages.choices import choices_for
from conversations.pages.fields import Form, form_for
from conversations.pages.frame import frame
from conversations.pages.new import new_page, wishes_carried
from conversations.pages.places import find_place
from conversations.pages.requests import PageRequest, page, show, text_of


@require_http_methods(["GET", "HEAD", "POST"])
@page
def parameters(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The form for the model that answers; a refused one comes back with what is wrong at each field (422)."""
    context = frame(request)
    conversation, member = find_place(request.principal, conversation_id)
    place = reverse("parameters", args=[conversation.id])
    context |= {"conversation": conversation, "member": member, "place": place}
    form = wishes_of(request, conversation)
    if request.method != "POST":
        return _shown(request, context, form)
    form = _typed(request, form)
    try:
        return done(request, _save(request, conversation, form), "params", "system")
    except Invalid as refusal:
        return _shown(request, context, form.refused(refusal.errors), 422)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new_parameters(request: PageRequest) -> HttpResponse:
    """The form before there is a conversation: what is saved stands in the composer, and goes with the first message.

    The composer opens it by posting what it holds.
    """
    context = frame(request) | {"place": reverse("new_parameters"), "draft": text_of(request, "content")}
    form = wishes_carried(request)
    if not {"save", "clear"} & request.POST.keys():
        return _shown(request, context, form)
    form = _typed(request, form)
    try:
        wishes = _checked(request, form)
    except Invalid as refusal:
        return _shown(request, context, form.refused(refusal.errors), 422)
    if not request.htmx:
        return new_page(request, draft=text_of(request, "content"), wishes=wishes)
    response = render(request, "conversations/parameters.html#mark", {"wishes": wishes})
    response["HX-Retarget"] = "#wishes"
    return response


@require_POST
@page
def new_mark(request: PageRequest) -> HttpResponse:
    """The button beside the model picker of a new chat, with what it carries, for another model."""
    return render(request, "conversations/parameters.html#mark", {"wishes": wishes_carried(request)})


@require_safe
@page
def mark(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The button beside the model picker: how much is set, and what the model does not know of it."""
    conversation, _ = find_place(request.principal, conversation_id)
    context = {"conversation": conversation, "wishes": wishes_of(request, conversation)}
    return render(request, "conversations/parameters.html#mark", context)


def wishes_of(request: PageRequest, conversation: Conversation) -> Form:
    chosen = choices_for(request.principal, conversation).chosen
    return form_for(chosen, params=conversation.params, system=conversation.system)


def _typed(request: PageRequest, form: Form) -> Form:
    return form.filled({name: text_of(request, name) for name in request.POST})


def _shown(request: PageRequest, context: dict[str, Any], form: Form, status: int = 200) -> HttpResponse:
    response = show(request, "conversations/parameters.html", "form", context | {"wishes": form})
    response.status_code = status
    return response


def _save(request: PageRequest, conversation: Conversation, form: Form) -> Conversation:
    """Raises Invalid."""
    return actions.adjust_conversation(
        request.principal, conversation.id, params=_changes(request, form), system=form.system
    )


def _checked(request: PageRequest, form: Form) -> Form:
    """As a conversation could begin with it. Raises Invalid."""
    changed = {**form.params, **_changes(request, form)}
    params = {name: value for name, value in changed.items() if value is not None}
    begun = new_conversation(request.principal, params=params, system=form.system)
    return form_for(form.model, params=begun.params, system=begun.system)


def _changes(request: PageRequest, form: Form) -> dict[str, Any]:
    """Of the parameters by name, None where nothing is wished any more. Raises Invalid."""
    values, problems = form.values()
    changes = values | dict.fromkeys(request.POST.getlist("without"))
    changes |= {other: None for other, name in OTHER_NAMES.items() if name in values}
    if "clear" in request.POST:
        changes = dict.fromkeys([*changes, *(other.name for other in form.others)])
    elif problems:
        raise Invalid(problems[0].detail, errors=problems)
    return changes
