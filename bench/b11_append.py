"""B11: appending a message (with its queued reply) to a conversation of 10,000 messages, against one of 10.

`actions.post_message` in this process, on a durable Postgres; long and short take turns. There are many short ones, so
that none grows much; all of them are warm.
"""

from itertools import cycle
from statistics import median
from time import perf_counter

from django.db import connection

from bench import inside
from bench.figure import Figure
from chatcore.accounts.principals import Principal
from chatcore.ids import uuid7
from conversations import actions
from conversations.models import Conversation, Message
from tests.factories import make_model, make_principal

LONG, SHORT = 10_000, 10
SHORT_ONES = 50
WARM_UP, SAMPLES = 50, 300
GOAL = 1.1
TEXT = "The disk of db-3 is 93 % full and grows by 1.4 % an hour. How long do we have?"


def run() -> list[Figure]:
    with inside.database():
        long, short = _measure()
    ratio = long / short
    name = f"B11 append to {LONG:,} messages, against {SHORT}"
    return [Figure(name, long, "ms", short, ratio, f"<= {GOAL:g} x", ratio <= GOAL)]


def _measure() -> tuple[float, float]:
    principal = make_principal()
    make_model("measured")
    long = _conversation(principal, LONG)
    shorts = [_conversation(principal, SHORT) for _ in range(SHORT_ONES)]
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
    samples = []
    for number, short in zip(range(WARM_UP + SAMPLES), cycle(shorts), strict=False):
        order = (long, short) if number % 2 else (short, long)
        taken = {conversation.id: _append(principal, conversation) for conversation in order}
        if number >= WARM_UP:
            samples.append((taken[long.id], taken[short.id]))
    return median(pair[0] for pair in samples), median(pair[1] for pair in samples)


def _conversation(principal: Principal, length: int) -> Conversation:
    conversation = actions.start_conversation(principal, title="Measured", model="measured")
    ids = [uuid7() for _ in range(length)]
    Message.objects.bulk_create(
        [
            Message(
                id=own,
                workspace=principal.workspace,
                conversation=conversation,
                parent_id=parent,
                author=Message.Author.USER,
                user=principal.user,
                text=TEXT,
            )
            for own, parent in zip(ids, [None, *ids], strict=False)
        ]
    )
    conversation.active_leaf_id = ids[-1]
    conversation.save(update_fields=["active_leaf"])
    return conversation


def _append(principal: Principal, conversation: Conversation) -> float:
    """Milliseconds until the append is committed."""
    begin = perf_counter()
    actions.post_message(principal, conversation.id, text=TEXT)
    return (perf_counter() - begin) * 1000
