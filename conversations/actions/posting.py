"""The one writer of messages: everything a message brings with it, in a few statements, however many they are."""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from chatcore import rows
from chatcore.accounts.principals import Principal
from chatcore.realtime.catalogue import EventBody
from chatcore.realtime.log import Announcement, announce
from conversations import events
from conversations.actions.access import Audience, audiences_of
from conversations.actions.comparisons import begin_comparison
from conversations.actions.receipts import note_posted
from conversations.attachments import has_none
from conversations.enqueue import enqueue_answers
from conversations.ledger import reserve_replies
from conversations.models import Attachment, Conversation, Member, Message
from conversations.titles import draft_title


@dataclass(frozen=True)
class Posting:
    """A message that is not stored yet, its files, and the replies to be made to it, at the end of a conversation that
    is locked or among those that are started with it.
    """

    principal: Principal
    conversation: Conversation
    message: Message
    replies: Sequence[Message] = ()
    files: Sequence[Attachment] = ()

    @property
    def leaf(self) -> Message:
        """Where its conversation ends then."""
        return self.replies[0] if self.replies else self.message


def write(
    postings: Sequence[Posting],
    *,
    started: Sequence[Conversation] = (),
    audiences: Mapping[uuid.UUID, Audience] | None = None,
) -> None:
    """Store messages in this order with the replies queued for them, their events and jobs, in the current transaction.

    `started` are new conversations, of which the owners become members; `audiences` those of the others, if they are
    known. Every conversation ends at its last posting. Raises BudgetExceeded or PriceUnknown, after which the
    transaction must not commit.
    """
    now = timezone.now()
    is_new = {conversation.id for conversation in started}
    comparisons = [begin_comparison(each.message, each.replies) for each in postings if len(each.replies) > 1]
    _move_on(postings, now)
    rows.insert(started)
    rows.insert(_owners_of(started, postings, now))
    rows.insert([message for each in postings for message in (each.message, *each.replies)])
    rows.insert(comparisons)
    for each in postings:
        if not each.files:
            has_none(each.message)
    heard = dict(audiences or {}) | {each.id: (each.owner_id,) for each in started}
    heard |= audiences_of({each.conversation.id for each in postings} - heard.keys())
    announce(*_announcements(postings, is_new, heard))
    enqueue_answers(reply.id for each in postings for reply in each.replies)
    _save_places({each.conversation.id: each.conversation for each in postings}, is_new)
    note_posted(
        [
            (each.conversation.id, _reader(each.principal))
            for each in postings
            if each.conversation.id not in is_new
        ],
        now,
    )
    reserve_replies([(reply, each.conversation) for each in postings for reply in each.replies])


def _move_on(postings: Iterable[Posting], now: datetime) -> None:
    for each in postings:
        each.conversation.active_leaf = each.leaf
        each.conversation.last_message_at = now
        if not each.conversation.title:
            each.conversation.title = draft_title(
                each.message.text or (each.files[0].name if each.files else "")
            )


def _owners_of(started: Iterable[Conversation], postings: Iterable[Posting], now: datetime) -> list[Member]:
    """The first members, who have read nothing yet of what others posted."""
    unread = Counter(
        each.conversation.id for each in postings if _reader(each.principal) != each.conversation.owner_id
    )
    return [
        rows.new(
            Member,
            conversation_id=conversation.id,
            user_id=conversation.owner_id,
            workspace_id=conversation.workspace_id,
            last_message_at=now,
            unread=unread[conversation.id],
        )
        for conversation in started
    ]


def _announcements(
    postings: Iterable[Posting], is_new: set[uuid.UUID], heard: Mapping[uuid.UUID, Audience]
) -> Iterator[Announcement]:
    begun: set[uuid.UUID] = set()
    for each in postings:
        conversation = each.conversation
        bodies: list[EventBody] = []
        if conversation.id in is_new - begun:
            bodies.append(events.ConversationCreated(**events.state_of(conversation)))
            begun.add(conversation.id)
        bodies.append(events.MessageCreated(**events.message_state(each.message, each.files)))
        bodies.extend(events.ReplyQueued(**events.reply_state(reply)) for reply in each.replies)
        yield from events.about(conversation, heard[conversation.id], each.principal.author, *bodies)


def _reader(principal: Principal) -> uuid.UUID | None:
    """Who has read what it wrote itself."""
    return principal.person.id if principal.person else None


def _save_places(conversations: Mapping[uuid.UUID, Conversation], is_new: set[uuid.UUID]) -> None:
    moved = [
        {"id": each.id, "leaf": each.active_leaf_id, "at": each.last_message_at, "title": each.title}
        for each in conversations.values()
        if each.id not in is_new
    ]
    if moved:
        rows.execute(_MOVE, {"moved": rows.json_text(moved)})


_MOVE = """
update conversations_conversation c
set active_leaf_id = moved.leaf, last_message_at = moved.at, title = moved.title
from json_to_recordset(%(moved)s::json) as moved(id uuid, leaf uuid, at timestamptz, title text)
where c.id = moved.id
"""
