"""Actions on comparisons: several models answer one message, and one of the replies is preferred."""

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Invalid
from chatcore.llm.models import Model
from conversations.actions.access import find_model, lock_conversation
from conversations.actions.conversations import announce_update
from conversations.actions.replies import WRITE, find_reply
from conversations.errors import NotCompared
from conversations.models import Comparison, Message

FEWEST, MOST = 2, 4


def find_models(principal: Principal, names: Sequence[str]) -> list[Model]:
    """The models of these names, two to four different ones. Raises Invalid, which points at the one it is about."""
    if not FEWEST <= len(names) <= MOST:
        detail = f"A comparison is of {FEWEST} to {MOST} models."
        raise Invalid(detail, errors=[FieldProblem("/models", detail, "wrong_number")])
    for place, name in enumerate(names):
        if name in names[:place]:
            detail = f"{name!r} is named twice: a comparison is of different models."
            raise Invalid(detail, errors=[FieldProblem(f"/models/{place}", detail, "repeated")])
    return [find_model(principal, name, pointer=f"/models/{place}") for place, name in enumerate(names)]


def compared_again(principal: Principal, message: Message) -> list[str] | None:
    """Names of the models that answered `message` side by side and may be asked again; None: fewer than two."""
    names = Comparison.objects.filter(message=message).values_list("model_names", flat=True).first() or []
    usable = Model.objects.for_principal(principal)
    left = [name for name in names if usable.named(name) and principal.may("models:use", name)]
    return left if len(left) >= FEWEST else None


def begin_comparison(message: Message, replies: Sequence[Message]) -> Comparison:
    """For a message and its replies that are not stored yet, nor is this. The replies belong to it from now on."""
    comparison = Comparison(
        workspace_id=message.workspace_id,
        conversation_id=message.conversation_id,
        message=message,
        model_names=[reply.model_name for reply in replies],
    )
    for reply in replies:
        reply.comparison = comparison
    return comparison


@transaction.atomic
def choose_reply(principal: Principal, reply_id: uuid.UUID) -> Comparison:
    """Prefer this reply to those beside it, and show its branch. Whoever chooses last is right."""
    reply = find_reply(principal, reply_id)
    conversation = lock_conversation(principal, reply.conversation_id, WRITE)
    comparison: Comparison | None = Comparison.objects.filter(replies=reply.id).first()
    if comparison is None:
        raise NotCompared
    names = Message.objects.filter(comparison=comparison).order_by("id").values_list("model_name", flat=True)
    comparison.model_names = list(names)
    comparison.chosen = reply
    comparison.chosen_by = principal.author
    comparison.chosen_at = timezone.now()
    comparison.save(update_fields=["model_names", "chosen", "chosen_by", "chosen_at"])
    conversation.active_leaf_id = Message.objects.newest_leaf_below(reply.id)
    conversation.save(update_fields=["active_leaf"])
    announce_update(principal, conversation, "branch")
    return comparison


def forget_comparisons(messages: Sequence[uuid.UUID]) -> None:
    """These messages are about to be deleted: comparisons of them or won by them are none any more."""
    Comparison.objects.filter(Q(message__in=messages) | Q(chosen__in=messages)).delete()
