"""The conversations' jobs by name, enqueued in the transaction of the rows they are about."""

import uuid
from collections.abc import Iterable

from chatcore import jobs, rows
from chatcore.jobs import app

ANSWER = "conversations.answer"
TITLE = "conversations.title"
REMOVE_FILE = "conversations.remove_file"
RUNNERS_HEAD_START_SECONDS = 1


def enqueue_answer(reply_id: uuid.UUID) -> None:
    enqueue_answers([reply_id])


def enqueue_answers(reply_ids: Iterable[uuid.UUID]) -> None:
    """The announcement of these jobs lets a runner claim the replies, and their jobs with them: see `withdraw_answers`.

    A job that is left after a second, since no runner heard of it or none had room, is taken as any other is.
    """
    wanted = [{"reply_id": str(reply_id)} for reply_id in reply_ids]
    if wanted:
        later = {"seconds": RUNNERS_HEAD_START_SECONDS}
        jobs.defer_many(app.configure_task(ANSWER, allow_unknown=False, schedule_in=later), wanted)


def withdraw_answers(reply_ids: Iterable[uuid.UUID]) -> None:
    """These replies are in work: their jobs, as far as nobody has them, have nothing left to do."""
    rows.execute(_WITHDRAW, {"replies": [str(reply_id) for reply_id in reply_ids]})


def enqueue_titles(conversation_ids: Iterable[uuid.UUID]) -> None:
    """For those of the conversations that have a draft title."""
    drafts = rows.execute(_DRAFTS, {"conversations": list(conversation_ids)})
    if drafts:
        jobs.defer_many(TITLE, [{"conversation_id": str(conversation_id)} for (conversation_id,) in drafts])


def enqueue_removal(file: str) -> None:
    """Of a file whose row goes. A job outlives a crash between the row's end and the file's."""
    jobs.defer(REMOVE_FILE, file=file)


def wake_followers(reply_ids: Iterable[uuid.UUID]) -> None:
    """Replies queued below these waited for their end: give each a job."""
    enqueue_answers(follower for (follower,) in rows.execute(_FOLLOWERS, {"replies": list(reply_ids)}))


# Said as the index of these jobs is (migration 0009).
_WITHDRAW = """
delete from procrastinate_jobs where id in (
    select id from procrastinate_jobs
    where status = 'todo' and task_name = 'conversations.answer' and args->>'reply_id' = any(%(replies)s::text[])
    for update skip locked
) returning id
"""

_DRAFTS = """
select id from conversations_conversation where id = any(%(conversations)s::uuid[]) and title_source = 'draft'
"""

_FOLLOWERS = """
select follower.id from conversations_message asked
join conversations_message follower on follower.parent_id = asked.id and follower.status = 'queued'
where asked.parent_id = any(%(replies)s::uuid[])
"""
