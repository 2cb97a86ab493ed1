"""The conversations' jobs by name, enqueued in the transaction of the rows they are about."""

import itertools
import uuid
from collections.abc import Iterable

from django.db import transaction

from chatcore import jobs, rows
from chatcore.realtime.hub import hub
from conversations.control import QUEUE_GROUP, QUEUED

ANSWER = "conversations.answer"
TITLE = "conversations.title"
REMOVE_FILE = "conversations.remove_file"
REPLIES_A_JOB = 25


def enqueue_answers(reply_ids: Iterable[uuid.UUID]) -> None:
    """A worker that is woken takes all replies it has room for: of many only some have a job, to wake several.

    The jobs are what lasts. Workers that hear of queued replies at the commit begin before a job has been handed out.
    """
    wanted = [{"reply_id": str(reply_id)} for reply_id in itertools.islice(reply_ids, 0, None, REPLIES_A_JOB)]
    if wanted:
        jobs.defer_many(ANSWER, wanted)
        transaction.on_commit(_tell_workers)


def _tell_workers() -> None:
    hub.publish([QUEUE_GROUP], {"type": QUEUED, "data": {}})


def enqueue_titles(reply_ids: Iterable[uuid.UUID]) -> None:
    """For the conversations with a draft title whose first answer is one of these replies, which are done.

    A title that could not be written is not asked for again after each later reply.
    """
    drafts = rows.execute(_DRAFTS, {"replies": list(reply_ids)})
    if drafts:
        jobs.defer_many(TITLE, [{"conversation_id": str(conversation_id)} for (conversation_id,) in drafts])


def enqueue_removal(file: str) -> None:
    """Of a file whose row goes. A job outlives a crash between the row's end and the file's."""
    jobs.defer(REMOVE_FILE, file=file)


def wake_followers(reply_ids: Iterable[uuid.UUID]) -> None:
    """Replies queued below these waited for their end: now somebody may take them."""
    enqueue_answers(follower for (follower,) in rows.execute(_FOLLOWERS, {"replies": list(reply_ids)}))


# The first answer is the one that the title will be written from: see titling.py.
_DRAFTS = """
select draft.id from conversations_message reply
join conversations_conversation draft on draft.id = reply.conversation_id and draft.title_source = 'draft'
cross join lateral (
    select id from conversations_message answer
    where conversation_id = draft.id and status = 'done' and author = 'assistant' and model_id is not null
    order by id limit 1
) answer
where reply.id = any(%(replies)s::uuid[]) and answer.id = reply.id
"""

_FOLLOWERS = """
select follower.id from conversations_message asked
join conversations_message follower on follower.parent_id = asked.id and follower.status = 'queued'
where asked.parent_id = any(%(replies)s::uuid[])
"""
