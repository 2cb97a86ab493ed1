"""Actions on replies: queue, stop, retry, continue, regenerate."""

import uuid
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7
from chatcore.llm.models import Model
from chatcore.realtime.hub import hub
from chatcore.realtime.log import announce
from chatcore.usage import spending
from conversations import events
from conversations.actions.access import audience_of, find_message, find_model, lock_conversation
from conversations.actions.receipts import forget_read
from conversations.control import STOP_GROUP
from conversations.enqueue import enqueue_answers, wake_followers
from conversations.errors import AlreadyFinished, NotAReply, NothingSaid, StillRunning
from conversations.ledger import reserve_replies
from conversations.models import Conversation, Message

WRITE = "replies:write"


def new_reply(
    principal: Principal,
    parent: Message,
    model: Model,
    params: dict[str, Any] | None = None,
    reply_id: uuid.UUID | None = None,
) -> Message:
    """A reply by the model to `parent`, waiting for a worker. Not stored yet; `parent` need not be."""
    return rows.new(
        Message,
        id=reply_id or uuid7(),
        workspace_id=parent.workspace_id,
        conversation_id=parent.conversation_id,
        parent=parent,
        user=principal.user,
        integration=principal.integration,
        author=Message.Author.ASSISTANT,
        status=Message.Status.QUEUED,
        model=model,
        model_name=model.name,
        model_label=model.label,
        params=params or {},
    )


@transaction.atomic
def stop_reply(principal: Principal, reply_id: uuid.UUID) -> Message:
    """End a reply and keep its text so far. One that waits ends here; one that runs is ended by its worker."""
    reply = find_reply(principal, reply_id)
    conversation = lock_conversation(principal, reply.conversation_id, WRITE)
    reply = _locked(reply_id)
    if not reply.is_running:
        return reply
    reply.stop_requested_at = Now()
    if reply.status == Message.Status.QUEUED:
        reply.status = Message.Status.STOPPED
        reply.finished_at = Now()
        body = events.ReplyStopped(**events.reply_state(reply), text=reply.text)
        announce(*events.about(conversation, audience_of(conversation.id), principal.author, body))
        wake_followers([reply.id])
    reply.save(update_fields=["stop_requested_at", "status", "finished_at"])
    if not reply.is_running:
        spending.release([reply.id])
    reply.refresh_from_db()
    request = {"type": "reply.stop", "data": {"message": str(reply.id)}}
    transaction.on_commit(lambda: hub.publish([STOP_GROUP], request), robust=True)
    return reply


@transaction.atomic
def retry_reply(principal: Principal, reply_id: uuid.UUID, *, model: str | None = None) -> Message:
    """Make a failed or stopped reply anew, in its own place."""
    reply = find_reply(principal, reply_id)
    conversation = lock_conversation(principal, reply.conversation_id, WRITE)
    reply = _locked(reply_id)
    if reply.is_running:
        raise StillRunning
    if reply.status == Message.Status.DONE:
        raise AlreadyFinished("The reply is complete. Regenerate it to get another one beside it.")
    reply.text = reply.begun = ""
    reply.usage = None
    return _queue_again(principal, conversation, reply, model)


@transaction.atomic
def continue_reply(principal: Principal, reply_id: uuid.UUID, *, model: str | None = None) -> Message:
    """Go on with a reply that failed, was stopped or reached the length limit: what it said stays, more is added.

    Its tokens are counted on; the reasoning is that of the part that comes.
    """
    reply = find_reply(principal, reply_id)
    conversation = lock_conversation(principal, reply.conversation_id, WRITE)
    reply = _locked(reply_id)
    if reply.is_running:
        raise StillRunning
    if not reply.broke_off:
        raise AlreadyFinished("The reply is complete. Regenerate it to get another one beside it.")
    if not reply.text.strip():
        raise NothingSaid
    reply.begun = reply.text
    return _queue_again(principal, conversation, reply, model)


def _queue_again(
    principal: Principal, conversation: Conversation, reply: Message, model: str | None
) -> Message:
    responder = find_model(principal, model, otherwise=reply.model_id or conversation.model_id)
    reply.user, reply.integration = principal.user, principal.integration
    reply.model, reply.model_name, reply.model_label = responder, responder.name, responder.label
    reply.status = Message.Status.QUEUED
    reply.reasoning = reply.finish_reason = ""
    reply.error = reply.stop_requested_at = reply.started_at = reply.finished_at = None
    reply.route, reply.tool_calls = [], []
    reply.restarts = 0
    reply.save()
    forget_read(reply.id)
    _enqueue(principal, conversation, reply)
    reserve_replies([(reply, conversation)])
    return reply


@transaction.atomic
def regenerate_reply(
    principal: Principal, reply_id: uuid.UUID, *, model: str | None = None, new_id: uuid.UUID | None = None
) -> Message:
    """Another reply beside this one, by the same model or another; the reader is shown the new one."""
    old = find_reply(principal, reply_id)
    conversation = lock_conversation(principal, old.conversation_id, WRITE)
    if old.is_running:
        raise StillRunning
    if old.parent is None:
        raise NotAReply("This reply answers no message, so there is nothing to answer again.")
    responder = find_model(principal, model, otherwise=old.model_id or conversation.model_id)
    reply = new_reply(principal, old.parent, responder, old.params, new_id)
    reply.save(force_insert=True)
    _enqueue(principal, conversation, reply)
    conversation.active_leaf = reply
    conversation.save(update_fields=["active_leaf"])
    reserve_replies([(reply, conversation)])
    return reply


def _enqueue(principal: Principal, conversation: Conversation, reply: Message) -> None:
    body = events.ReplyQueued(**events.reply_state(reply))
    announce(*events.about(conversation, audience_of(conversation.id), principal.author, body))
    enqueue_answers([reply.id])


def _locked(reply_id: uuid.UUID) -> Message:
    reply: Message = Message.objects.select_for_update(no_key=True, of=["self"]).get(id=reply_id)
    return reply


def find_reply(principal: Principal, reply_id: uuid.UUID) -> Message:
    reply = find_message(principal, reply_id, WRITE)
    if not reply.is_reply:
        raise NotAReply
    return reply
