"""The final save of replies with all that hangs on it, in one transaction for those that end at the same moment."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, ClassVar

from django.db import transaction

from chatcore import rows
from chatcore.offload import offload
from chatcore.prepared import plans_kept
from chatcore.realtime.catalogue import EventBody
from chatcore.together import Together, or_alone
from conversations import events
from conversations.actions.receipts import count_unread
from conversations.claims import OURS, Claim, announce_replies
from conversations.endings import tell_completed
from conversations.enqueue import enqueue_titles, wake_followers
from conversations.ledger import record_replies
from conversations.models import Message
from conversations.streams import ReplyStream


@dataclass(frozen=True)
class Outcome:
    """How a reply ended."""

    status: Message.Status
    error: dict[str, Any] | None = None

    DONE: ClassVar["Outcome"]
    STOPPED: ClassVar["Outcome"]


Outcome.DONE = Outcome(Message.Status.DONE)
Outcome.STOPPED = Outcome(Message.Status.STOPPED)


@dataclass(frozen=True, eq=False)
class Ending:
    """A reply that has ended: what was said, how it ended, and which deployments were asked on the way."""

    stream: ReplyStream
    outcome: Outcome
    route: Sequence[dict[str, Any]]

    @property
    def claim(self) -> Claim:
        return self.stream.claim

    @property
    def is_done(self) -> bool:
        return self.outcome.status == Message.Status.DONE

    @property
    def code(self) -> str:
        """Why it failed; empty if it did not."""
        return str((self.outcome.error or {}).get("code", ""))


async def finish(ending: Ending) -> bool:
    """`finish_replies`, together with others that end at this moment. Raises DatabaseError."""
    return await _together(or_alone(finish_replies), ending, None)


_together: Together[Ending, bool] = Together(offload)


@plans_kept()
@transaction.atomic
def finish_replies(endings: Sequence[Ending]) -> list[bool]:
    """The final, fenced saves with their events; False for a reply that another worker owns by now."""
    usages = [_whole_usage(ending.stream) for ending in endings]
    written = [_columns(ending, usage) for ending, usage in zip(endings, usages, strict=True)]
    saved = {*rows.execute(_SAVE, {"written": rows.json_text(written)})}
    is_ours = [(ending.claim.id, ending.claim.attempt) in saved for ending in endings]
    ours = [*compress(endings, is_ours)]
    if ours:
        bodies = [
            _event(ending, usage) for ending, usage in zip(ours, compress(usages, is_ours), strict=True)
        ]
        announce_replies([*zip([ending.claim for ending in ours], bodies, strict=True)])
        count_unread(Counter(ending.claim.conversation_id for ending in ours))
        wake_followers([ending.claim.id for ending in ours])
    done = [ending.claim for ending in ours if ending.is_done]
    if done:
        enqueue_titles([claim.id for claim in done])
    record_replies(ours)
    if done:
        tell_completed([claim.id for claim in done])
    return is_ours


def finish_reply(stream: ReplyStream, outcome: Outcome, route: Sequence[dict[str, Any]]) -> bool:
    """`finish_replies` for one."""
    return finish_replies([Ending(stream, outcome, route)])[0]


def _whole_usage(stream: ReplyStream) -> dict[str, Any] | None:
    """With what the parts before cost, where it was continued. One unknown part leaves the sum unknown."""
    usage = dataclasses.asdict(stream.usage) if stream.usage else None
    if not stream.claim.begun:
        return usage
    before = Message.objects.filter(id=stream.claim.id).values_list("usage", flat=True).first()
    if usage is None or before is None:
        return None
    counts = {
        name: count + before[name] if count is not None and before.get(name) is not None else None
        for name, count in usage.items()
        if name != "estimated"
    }
    return counts | {"estimated": usage["estimated"] or before.get("estimated", False)}


def _columns(ending: Ending, usage: dict[str, Any] | None) -> dict[str, Any]:
    stream = ending.stream
    return {
        "id": stream.claim.id,
        "attempt": stream.claim.attempt,
        "status": ending.outcome.status,
        "text": stream.text,
        "reasoning": stream.reasoning,
        "error": ending.outcome.error,
        "usage": usage,
        "route": ending.route,
        "finish_reason": stream.finish_reason,
        "dropped": stream.dropped,
        "tool_calls": stream.calls.whole,
    }


def _event(ending: Ending, usage: dict[str, Any] | None) -> EventBody:
    stream, outcome = ending.stream, ending.outcome
    whole = stream.claim.state | {"text": stream.text, "usage": usage}
    if outcome.status == Message.Status.DONE:
        ends = {"finish_reason": stream.finish_reason, "tool_calls": stream.calls.whole}
        return events.ReplyCompleted(**whole, **ends)
    if outcome.status == Message.Status.STOPPED:
        return events.ReplyStopped(**whole)
    return events.ReplyFailed(**whole, error=outcome.error)


_SAVE = f"""
with mine as (
    select * from json_to_recordset(%(written)s::json) as written(
        id uuid, attempt smallint, status text, text text, reasoning text, error jsonb, usage jsonb, route jsonb,
        finish_reason text, dropped text[], tool_calls jsonb
    )
), ours as ({OURS})
update conversations_message m
set status = mine.status, text = mine.text, reasoning = mine.reasoning, error = mine.error,
    usage = mine.usage, route = mine.route, finish_reason = mine.finish_reason,
    dropped = mine.dropped, tool_calls = mine.tool_calls, finished_at = now(), heartbeat_at = null
from ours join mine using (id)
where m.id = ours.id
returning m.id, m.attempt
"""  # noqa: S608
