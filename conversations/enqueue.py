"""The conversations' jobs by name, enqueued in the transaction of the rows they are about."""

import uuid
from collections.abc import Iterable

from chatcore import jobs
from conversations.models import Message

ANSWER = "conversations.answer"
TITLE = "conversations.title"
REMOVE_FILE = "conversations.remove_file"


def enqueue_answer(reply_id: uuid.UUID) -> None:
    jobs.defer(ANSWER, reply_id=str(reply_id))


def enqueue_answers(reply_ids: Iterable[uuid.UUID]) -> None:
    wanted = [{"reply_id": str(reply_id)} for reply_id in reply_ids]
    if wanted:
        jobs.defer_many(ANSWER, wanted)


def enqueue_title(conversation_id: uuid.UUID) -> None:
    jobs.defer(TITLE, conversation_id=str(conversation_id))


def enqueue_removal(file: str) -> None:
    """Of a file whose row goes. A job outlives a crash between the row's end and the file's."""
    jobs.defer(REMOVE_FILE, file=file)


def wake_followers(reply_id: uuid.UUID) -> None:
    """Replies queued below this one waited for its end: give each a job."""
    waiting = Message.objects.filter(parent__parent=reply_id, status=Message.Status.QUEUED)
    for follower_id in waiting.values_list("id", flat=True):
        enqueue_answer(follower_id)
