"""What becomes of integrations' conversations that nobody goes on with, and of answers nobody asks for again."""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from chatcore.accounts.principals import SYSTEM
from chatcore.realtime.log import announce
from conversations import events
from conversations.actions.conversations import erase_conversation
from conversations.models import Conversation, Member
from external import threads
from external.idempotency import forget_old
from external.models import IntakePolicy, Thread

BATCH = 200


def tidy(now: datetime) -> None:
    """Each policy's conversations, and old idempotency keys; a batch at a time, so that nobody waits long."""
    for policy in IntakePolicy.objects.select_related("integration"):
        while archive_idle(policy, now) == BATCH:
            pass
        while delete_idle(policy, now) == BATCH:
            pass
    while forget_old():
        pass


def archive_idle(policy: IntakePolicy, now: datetime) -> int:
    """Out of the open lists of all their readers, and closed: what comes later begins anew. Returns how many."""
    if policy.archive_after_days is None:
        return 0
    limit = now - timedelta(days=policy.archive_after_days)
    open_ones = _idle(policy, limit).filter(conversation__members__archived_at__isnull=True).distinct()
    chosen = list(open_ones[:BATCH])
    for thread in chosen:
        _archive(thread, limit, now)
    return len(chosen)


@transaction.atomic
def _archive(thread: Thread, limit: datetime, now: datetime) -> None:
    """Not if somebody has written there since."""
    held = threads.hold(thread.integration, [(thread.user_id, thread.name)], [thread.conversation_id])
    conversation = held.conversations.get(thread.conversation_id)
    if conversation is None or conversation.last_message_at >= limit:
        return
    Thread.objects.filter(id=thread.id, closed_at__isnull=True).update(closed_at=now)
    members = Member.objects.filter(conversation=conversation, archived_at__isnull=True)
    if members.update(archived_at=now):
        body = events.ConversationUpdated(**events.state_of(conversation), changed=("archived",))
        announce(*events.about(conversation, held.audiences[conversation.id], SYSTEM, body))


def delete_idle(policy: IntakePolicy, now: datetime) -> int:
    """For good, with all that is in them. Returns how many."""
    if policy.keep_days is None:
        return 0
    limit = now - timedelta(days=policy.keep_days)
    chosen = [thread.conversation_id for thread in _idle(policy, limit)[:BATCH]]
    return sum(_delete(each, limit) for each in chosen)


@transaction.atomic
def _delete(conversation_id: uuid.UUID, limit: datetime) -> int:
    """Not if somebody has written there since."""
    locked = Conversation.objects.select_for_update(no_key=True, of=("self",)).filter(id=conversation_id)
    conversation = locked.filter(last_message_at__lt=limit).first()
    if conversation is None:
        return 0
    erase_conversation(conversation, SYSTEM)
    return 1


def _idle(policy: IntakePolicy, limit: datetime) -> QuerySet[Thread]:
    found = Thread.objects.filter(integration=policy.integration_id, conversation__last_message_at__lt=limit)
    return found.select_related("integration").order_by("id")
