"""Which conversation a message from outside goes to: held until the transaction ends, so that two never open the same.

Locks are taken in this order: threads by their advisory locks, then conversations by id.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from chatcore import rows
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.prepared import plans_kept
from conversations.models import Conversation
from external.models import IntakePolicy, Thread

WRITE = "messages:write"
ThreadKey = tuple[uuid.UUID, str]  # of a user, its name


@dataclass
class Places:
    """The conversations that messages of one transaction may go to, as they are now. `audiences` are their readers."""

    conversations: dict[uuid.UUID, Conversation] = field(default_factory=dict)
    audiences: dict[uuid.UUID, tuple[uuid.UUID, ...]] = field(default_factory=dict)
    threads: dict[ThreadKey, Thread] = field(default_factory=dict)

    def writable(self, principal: Principal, conversation_id: uuid.UUID) -> Conversation | None:
        """The conversation, if it is there for the principal to write in: see ConversationQuerySet.for_principal."""
        found = self.conversations.get(conversation_id)
        if found is None or principal.user is None or principal.user.id not in self.audiences[found.id]:
            return None
        allowed = principal.selectors(WRITE)
        return found if allowed is None or str(found.id) in allowed else None

    def adopt(self, later: "Places") -> None:
        """They have become what they are there."""
        self.conversations, self.audiences, self.threads = later.conversations, later.audiences, later.threads


def hold(
    integration: Integration, names: Collection[ThreadKey], conversations: Collection[uuid.UUID]
) -> Places:
    """Lock the open threads of these users and names, their conversations, and these other conversations."""
    values: dict[str, Any] = {
        "integration": integration.id,
        "workspace": integration.workspace_id,
        "names": rows.json_text([{"user_id": user, "name": name} for user, name in names]),
        "conversations": list(conversations),
    }
    if names:
        rows.execute(_HOLD_THREADS, values)
    places = Places()
    found: Any  # a conversation with what the statement says beside it
    with plans_kept():
        held = list(Conversation.objects.raw(_HOLD_CONVERSATIONS, values))
    for found in held:
        places.conversations[found.id] = found
        places.audiences[found.id] = tuple(found.audience)
        if found.thread_id is not None:
            thread = Thread(
                id=found.thread_id,
                integration=integration,
                user_id=found.thread_user,
                name=found.thread_name,
                conversation_id=found.id,
            )
            places.threads[thread.user_id, thread.name] = thread
    return places


def thread_of(integration_id: uuid.UUID, conversation_id: uuid.UUID) -> str | None:
    """The name of the thread the integration opened the conversation for; None where it did not."""
    opened = Thread.objects.filter(integration=integration_id, conversation=conversation_id)
    return opened.values_list("name", flat=True).first()


def is_over(conversation: Conversation, policy: IntakePolicy, now: datetime) -> bool:
    """Whether it was idle for so long that it is not continued."""
    hours = policy.new_after_hours
    return hours is not None and conversation.last_message_at < now - timedelta(hours=hours)


def save(opened: Iterable[Thread], closed: Iterable[Thread]) -> None:
    """Those that ended make room first: of one name one is open."""
    ended = [thread.id for thread in closed]
    if ended:
        Thread.objects.filter(id__in=ended).update(closed_at=timezone.now())
    rows.insert(list(opened))


_NAMES = "json_to_recordset(%(names)s::json) as wanted(user_id uuid, name text)"

_HOLD_THREADS = f"""
select pg_advisory_xact_lock(key) from (
    select distinct hashtextextended(%(integration)s || '/' || user_id || '/' || name, 7401) as key
    from {_NAMES} order by key
) keys
"""  # noqa: S608

_HOLD_CONVERSATIONS = f"""
with wanted as materialized (
    select t.conversation_id as id, t.id as thread_id, t.user_id as thread_user, t.name as thread_name
    from {_NAMES} join external_thread t
        on t.integration_id = %(integration)s and t.user_id = wanted.user_id and t.name = wanted.name
        and t.closed_at is null
    union all
    select unnest(%(conversations)s::uuid[]), null, null, null
)
select c.*, place.thread_id, place.thread_user, place.thread_name, array(
    select member.user_id from conversations_member member where member.conversation_id = c.id
) as audience
from (
    select id, (max(thread_id::text))::uuid as thread_id, (max(thread_user::text))::uuid as thread_user,
        max(thread_name) as thread_name
    from wanted group by id
) place join conversations_conversation c on c.id = place.id
where c.workspace_id = %(workspace)s
order by c.id for no key update of c
"""  # noqa: S608
