"""Who runs a reply: set-based statements in which the row decides.

A claim raises `attempt`; every later write names it and changes nothing when another worker has claimed since.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Greatest, Now

from chatcore.accounts.principals import SYSTEM
from chatcore.prepared import plans_kept
from chatcore.realtime.catalogue import EventBody
from chatcore.realtime.log import Announcement, announce
from conversations import events
from conversations.actions.access import audiences_of
from conversations.actions.receipts import count_unread
from conversations.ledger import record_lost
from conversations.models import Message

STALLED_SECONDS = 5
MAX_DEATHS = 3
WORKERS_LOST: dict[str, Any] = {
    "code": "worker_lost",
    "detail": "The workers that made this reply died three times. Try again, or tell the staff if it happens again.",
    "retryable": True,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One reply this worker may produce, under this attempt."""

    id: uuid.UUID
    attempt: int
    workspace_id: uuid.UUID
    conversation_id: uuid.UUID
    parent_id: uuid.UUID | None
    model_id: uuid.UUID | None
    model_name: str
    user_id: uuid.UUID | None
    restarts: int = 0
    integration_id: uuid.UUID | None = None
    begun: str = ""

    @property
    def state(self) -> dict[str, Any]:
        return {
            "message": self.id,
            "parent": self.parent_id,
            "model": self.model_name,
            "attempt": self.attempt,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """The text so far of a claimed reply."""

    id: uuid.UUID
    attempt: int
    text: str
    reasoning: str


@plans_kept()
@transaction.atomic
def claim_replies(limit: int) -> list[Claim]:
    """Take up to `limit` queued replies, oldest first, and announce their start.

    One below a reply that still runs is left: its turn comes when that one has ended.
    """
    claims = [Claim(*row) for row in _rows(_CLAIM, {"limit": limit})]
    announce_replies(
        [
            (
                claim,
                events.ReplyRestarted(**claim.state)
                if claim.restarts
                else events.ReplyStarted(**claim.state),
            )
            for claim in claims
        ]
    )
    return claims


@plans_kept()
def save_progress(progress: Sequence[Progress]) -> dict[uuid.UUID, bool]:
    """Save texts and show signs of life, all in one statement.

    Returns for each reply that is still ours whether somebody asked to stop it; a missing one is lost to us.
    """
    columns = zip(*((item.id, item.attempt, item.text, item.reasoning) for item in progress), strict=True)
    ids, attempts, texts, reasonings = (list(column) for column in columns)
    values = {"ids": ids, "attempts": attempts, "texts": texts, "reasonings": reasonings}
    return {row[0]: row[1] for row in _rows(_SAVE, values)}


@plans_kept()
def show_life(running: Iterable[tuple[uuid.UUID, int]]) -> dict[uuid.UUID, bool]:
    """The sign of life alone, for replies whose text has not grown. Returns what `save_progress` returns."""
    pairs = list(running)
    values = {"ids": [pair[0] for pair in pairs], "attempts": [pair[1] for pair in pairs]}
    return {row[0]: row[1] for row in _rows(_BEAT, values)}


@transaction.atomic
def restart_reply(claim: Claim) -> Claim | None:
    """Begin the reply anew under the next attempt: what was said under this one is void. None: it is lost to us.

    One that is continued begins with what it had said before that.
    """
    ours = Message.objects.filter(id=claim.id, attempt=claim.attempt, status=Message.Status.STREAMING)
    if not ours.update(attempt=claim.attempt + 1, text=claim.begun, reasoning="", heartbeat_at=Now()):
        return None
    begun = replace(claim, attempt=claim.attempt + 1)
    announce_replies([(begun, events.ReplyRestarted(**begun.state))])
    return begun


@transaction.atomic
def release(claims: Iterable[Claim]) -> None:
    """Give replies back to the queue: the worker stops, another begins them anew."""
    for claim in sorted(claims, key=attrgetter("id")):
        Message.objects.filter(id=claim.id, attempt=claim.attempt, status=Message.Status.STREAMING).update(
            status=Message.Status.QUEUED, heartbeat_at=None, restarts=Greatest("restarts", 1)
        )


@transaction.atomic
def sweep_stalled() -> int:
    """Put replies of dead workers back into the queue; returns how many.

    One that somebody asked to stop ends as stopped. One that three workers died of ends as failed.
    """
    rows = _rows(
        _SWEEP, {"seconds": STALLED_SECONDS, "deaths": MAX_DEATHS, "error": json.dumps(WORKERS_LOST)}
    )
    ended: list[tuple[Claim, EventBody]] = []
    for *columns, status, text in rows:
        claim = Claim(*columns)
        if status == Message.Status.STOPPED:
            ended.append((claim, events.ReplyStopped(**claim.state, text=text)))
        elif status == Message.Status.FAILED:
            ended.append((claim, events.ReplyFailed(**claim.state, text=text, error=WORKERS_LOST)))
    announce_replies(ended)
    count_unread(Counter(claim.conversation_id for claim, _ in ended))
    record_lost(
        (claim, WORKERS_LOST if isinstance(body, events.ReplyFailed) else None) for claim, body in ended
    )
    return len(rows)


def announce_replies(bodies: Sequence[tuple[Claim, EventBody]]) -> None:
    """Announce what happened to replies, to the members of each conversation."""
    audiences = audiences_of(claim.conversation_id for claim, _ in bodies)
    announce(
        *(
            Announcement(
                body=body,
                workspace=claim.workspace_id,
                conversation=claim.conversation_id,
                actor=SYSTEM,
                audience=audiences[claim.conversation_id],
            )
            for claim, body in bodies
        )
    )


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as sql:
        sql.execute(statement, values)
        rows: list[tuple[Any, ...]] = sql.fetchall()
    return rows


_COLUMNS = """m.id, m.attempt, m.workspace_id, m.conversation_id, m.parent_id, m.model_id, m.model_name,
    m.user_id, m.restarts, m.integration_id, m.begun"""

_CLAIM = f"""
with taken as (
    select q.id from conversations_message q
    where q.status = 'queued' and not exists (
        select from conversations_message asked
        join conversations_message above on above.id = asked.parent_id
        where asked.id = q.parent_id and above.status in ('queued', 'streaming')
    )
    order by q.id limit %(limit)s for no key update of q skip locked
)
update conversations_message m
set status = 'streaming', attempt = m.attempt + 1, text = m.begun, reasoning = '',
    heartbeat_at = now(), started_at = now()
from taken where m.id = taken.id
returning {_COLUMNS}
"""  # noqa: S608

# Those of `mine` that still run under the attempt we know, locked in the order of rows so that two who are about the
# same replies cannot deadlock.
OURS = """select m.id from conversations_message m
    join mine on mine.id = m.id and mine.attempt = m.attempt and m.status = 'streaming'
    order by m.id for no key update of m"""

_SAVE = f"""
with mine as (
    select * from unnest(%(ids)s::uuid[], %(attempts)s::smallint[], %(texts)s::text[], %(reasonings)s::text[])
        as said(id, attempt, text, reasoning)
), ours as ({OURS})
update conversations_message m
set text = mine.text, reasoning = mine.reasoning, heartbeat_at = now()
from ours join mine using (id)
where m.id = ours.id returning m.id, m.stop_requested_at is not null
"""  # noqa: S608

_BEAT = f"""
with mine as (
    select * from unnest(%(ids)s::uuid[], %(attempts)s::smallint[]) as running(id, attempt)
), ours as ({OURS})
update conversations_message m set heartbeat_at = now()
from ours where m.id = ours.id returning m.id, m.stop_requested_at is not null
"""  # noqa: S608

_SWEEP = f"""
with stalled as (
    select s.id from conversations_message s
    where s.status = 'streaming' and s.heartbeat_at < now() - make_interval(secs => %(seconds)s)
    order by s.id for no key update of s skip locked
)
update conversations_message m
set status = case when m.stop_requested_at is not null then 'stopped'
                  when m.restarts + 1 >= %(deaths)s then 'failed' else 'queued' end,
    error = case when m.stop_requested_at is null and m.restarts + 1 >= %(deaths)s then %(error)s::jsonb end,
    finished_at = case when m.stop_requested_at is not null or m.restarts + 1 >= %(deaths)s then now() end,
    heartbeat_at = null, restarts = m.restarts + 1
from stalled where m.id = stalled.id
returning {_COLUMNS}, m.status, m.text
"""  # noqa: S608
