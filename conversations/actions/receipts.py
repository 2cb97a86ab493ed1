"""How far messages have come with those they are for, and what each reader has not read yet."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection, transaction

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.realtime.log import Announcement, announce
from conversations import events
from conversations.actions.access import audiences_of, find_message
from conversations.models import Member, Receipt

State = Literal["delivered", "read"]
REACH = 200  # messages marked by one acknowledgement: what lies further back was not waiting to be read


@dataclass(frozen=True)
class Acknowledgement:
    """Everything in the conversation up to this message has reached the recipient, or was read by it."""

    workspace: uuid.UUID
    conversation: uuid.UUID
    up_to: uuid.UUID
    recipient: str
    user: uuid.UUID | None
    state: State


def acknowledgement(principal: Principal, message_id: uuid.UUID, state: State) -> Acknowledgement:
    """What the principal says of the message. Raises NotFound."""
    message = find_message(principal, message_id)
    return Acknowledgement(
        message.workspace_id,
        message.conversation_id,
        message.id,
        principal.author,
        principal.person.id if principal.person else None,
        state,
    )


def record(acknowledged: Iterable[Acknowledgement]) -> None:
    """Write receipts for all of them in a few statements. What was seen is never unseen: late ones change nothing."""
    newest: dict[tuple[uuid.UUID, str, State], Acknowledgement] = {}
    for item in sorted(acknowledged, key=lambda item: item.up_to):
        newest[item.conversation, item.recipient, item.state] = item
    for state in ("delivered", "read"):
        chosen = [item for item in newest.values() if item.state == state]
        if chosen:
            _record(chosen)


@transaction.atomic
def _record(chosen: Sequence[Acknowledgement]) -> None:
    """All of one state, in the order of rows, so that two processes cannot deadlock."""
    is_read = chosen[0].state == "read"
    values: dict[str, Any] = {
        "conversations": [item.conversation for item in chosen],
        "recipients": [item.recipient for item in chosen],
        "users": [item.user for item in chosen],
        "ups": [item.up_to for item in chosen],
        "read": is_read,
        "reach": REACH,
    }
    with connection.cursor() as sql:
        sql.execute(_HOLD, values)
        sql.execute(_MARK, values)
        changed = {(row[0], row[1]) for row in sql.fetchall()}
        unread: dict[tuple[uuid.UUID, uuid.UUID], int] = {}
        if is_read:
            sql.execute(_LOCK, values)
            sql.execute(_READ, values)
            unread = {(row[0], row[1]): row[2] for row in sql.fetchall()}
    _announce(chosen, changed, unread)


def _announce(
    chosen: Sequence[Acknowledgement],
    changed: set[tuple[uuid.UUID, str]],
    unread: dict[tuple[uuid.UUID, uuid.UUID], int],
) -> None:
    told = [
        item
        for item in chosen
        if (item.conversation, item.recipient) in changed or (item.conversation, item.user) in unread
    ]
    audiences = audiences_of(item.conversation for item in told)
    announce(
        *(
            Announcement(
                body=events.ReceiptUpdated(
                    recipient=item.recipient,
                    state=item.state,
                    message=item.up_to,
                    unread=unread.get((item.conversation, item.user)) if item.user else None,
                ),
                workspace=item.workspace,
                conversation=item.conversation,
                actor=item.recipient,
                audience=audiences[item.conversation],
            )
            for item in told
        )
    )


def forget_read(reply_id: uuid.UUID) -> None:
    """It is made anew: what was said before is unread by nobody, and what will be said was read by nobody."""
    with connection.cursor() as sql:
        sql.execute(_UNCOUNT, {"message": reply_id})
    Receipt.objects.filter(message=reply_id).delete()


def recount_unread(conversation_id: uuid.UUID) -> None:
    """Messages have gone: what nobody can read any more waits for nobody."""
    list(Member.objects.select_for_update(no_key=True).filter(conversation=conversation_id).order_by("id"))
    with connection.cursor() as sql:
        sql.execute(_RECOUNT, {"conversation": conversation_id})


def count_unread(said: Mapping[uuid.UUID, int]) -> None:
    """So many messages more in each conversation that no member has read. In the order of rows, so that two cannot
    deadlock.
    """
    rows.execute(_COUNT, {"conversations": list(said), "numbers": list(said.values())})


def note_posted(posted: Sequence[tuple[uuid.UUID, uuid.UUID | None]], posted_at: datetime) -> None:
    """Messages were posted, each in a conversation by an author: the conversations move up in every member's list,
    and none but its author has read a message. In the order of rows, so that two cannot deadlock.
    """
    documents = [{"conversation_id": conversation, "author": author} for conversation, author in posted]
    if documents:
        rows.execute(_NOTE, {"posted": rows.json_text(documents), "posted_at": posted_at})


_ACK = """
with ack as (
    select * from unnest(%(conversations)s::uuid[], %(recipients)s::text[], %(users)s::uuid[], %(ups)s::uuid[])
        as ack(conversation_id, recipient, user_id, up_to)
)
"""

_OF_OTHERS = """
    m.status not in ('queued', 'streaming') and (
        m.author in ('assistant', 'agent', 'system')
        or (m.integration_id is not null and 'integration:' || m.integration_id <> ack.recipient)
        or (m.integration_id is null and m.user_id is distinct from ack.user_id)
    )
"""

_OF_OTHERS_FOR_MEMBER = _OF_OTHERS.replace("ack.recipient", "'user:' || ack.user_id")

_MARK = f"""{_ACK}
, marked as (
    insert into conversations_receipt as r (message_id, recipient, delivered_at, read_at)
    select m.id, ack.recipient, now(), case when %(read)s then now() end
    from ack cross join lateral (
        select m.id from conversations_message m
        where m.conversation_id = ack.conversation_id and m.id <= ack.up_to and {_OF_OTHERS}
        order by m.id desc limit %(reach)s
    ) m
    where not exists (
        select from conversations_receipt known
        where known.message_id = m.id and known.recipient = ack.recipient
            and (known.read_at is not null or not %(read)s)
    )
    order by m.id, ack.recipient
    on conflict (message_id, recipient) do update
        set delivered_at = coalesce(r.delivered_at, excluded.delivered_at),
            read_at = coalesce(r.read_at, excluded.read_at)
    returning r.message_id, r.recipient
)
select distinct m.conversation_id, marked.recipient
from marked join conversations_message m on m.id = marked.message_id
"""  # noqa: S608

# What somebody deletes at this moment is gone by the next statement: no receipt may name it.
_HOLD = """
select id from conversations_conversation where id = any(%(conversations)s) order by id for share
"""

# What another transaction adds while this waits is counted by the next statement.
_LOCK = f"""{_ACK}
select member.id from ack join conversations_member member
    on member.conversation_id = ack.conversation_id and member.user_id = ack.user_id
order by member.id for no key update of member
"""  # noqa: S608

_READ = f"""{_ACK}
update conversations_member member
set read_up_to = greatest(member.read_up_to, ack.up_to),
    unread = (
        select count(*) from conversations_message m
        where m.conversation_id = ack.conversation_id
            and m.id > greatest(member.read_up_to, ack.up_to) and {_OF_OTHERS}
    )
from ack
where member.conversation_id = ack.conversation_id and member.user_id = ack.user_id
    and (member.unread > 0 or member.read_up_to is distinct from greatest(member.read_up_to, ack.up_to))
returning member.conversation_id, member.user_id, member.unread
"""  # noqa: S608

_RECOUNT = f"""
update conversations_member ack
set unread = (
    select count(*) from conversations_message m
    where m.conversation_id = ack.conversation_id and (ack.read_up_to is null or m.id > ack.read_up_to)
        and {_OF_OTHERS_FOR_MEMBER}
)
where ack.conversation_id = %(conversation)s and ack.unread > 0
"""  # noqa: S608

_UNCOUNT = """
update conversations_member set unread = unread - 1
where id in (
    select member.id from conversations_member member
    join conversations_message m on m.conversation_id = member.conversation_id
    where m.id = %(message)s and member.unread > 0 and not exists (
        select from conversations_receipt receipt
        where receipt.message_id = m.id and receipt.recipient = 'user:' || member.user_id
            and receipt.read_at is not null
    )
    order by member.id for no key update of member
)
"""

_COUNT = """
update conversations_member member set unread = member.unread + said.number
from unnest(%(conversations)s::uuid[], %(numbers)s::int[]) as said(conversation_id, number)
where member.conversation_id = said.conversation_id and member.id in (
    select id from conversations_member
    where conversation_id = any(%(conversations)s::uuid[]) order by id for no key update
)
"""

_NOTE = """
with posted as materialized (
    select posted.conversation_id, posted.author, count(*) as number
    from json_to_recordset(%(posted)s::json) as posted(conversation_id uuid, author uuid) group by 1, 2
)
update conversations_member member
set last_message_at = %(posted_at)s,
    unread = member.unread + coalesce((
        select sum(number) from posted
        where posted.conversation_id = member.conversation_id and posted.author is distinct from member.user_id
    ), 0)
where member.id in (
    select id from conversations_member
    where conversation_id in (select conversation_id from posted) order by id for no key update
)
"""
