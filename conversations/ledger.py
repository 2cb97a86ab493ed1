"""What replies cost: set aside when one is queued, written down when its call has ended."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now

from chatcore.accounts.models import Integration
from chatcore.llm import tokens
from chatcore.llm.types import ModelRequest, Usage
from chatcore.usage import spending
from chatcore.usage.actions import Call, record
from chatcore.usage.spending import Asked
from conversations.errors import TooManyReplies
from conversations.models import Conversation, Message, UnstoredReply

if TYPE_CHECKING:
    from conversations.claims import Claim
    from conversations.finishing import Ending

RUNNING = (Message.Status.QUEUED, Message.Status.STREAMING)


def reserve_replies(queued: Iterable[tuple[Message, Conversation]]) -> None:
    """Last in the transaction that queues them. Raises TooManyReplies, BudgetExceeded or PriceUnknown: then none is to
    be made.
    """
    replies = [*queued]
    keep_concurrency({reply.integration for reply, _ in replies if reply.integration is not None})
    spending.reserve(*(_asked(reply, conversation) for reply, conversation in replies))


def _asked(reply: Message, conversation: Conversation) -> Asked:
    assert reply.model is not None
    return Asked(
        message=reply.id,
        workspace=reply.workspace_id,
        user=reply.user_id,
        integration=reply.integration_id,
        model=reply.model,
        input_tokens=lambda: _tokens_to_read(reply, conversation),
        params=conversation.params | reply.params,
    )


def keep_concurrency(integrations: Iterable[Integration]) -> None:
    """They are locked until the transaction ends: of two that ask at once, each counts the other's. Raises
    TooManyReplies.
    """
    held = {each.pk: most for each in integrations if (most := each.constraints.get("concurrency"))}
    if not held:
        return
    for integration in Integration.objects.select_for_update(no_key=True).filter(pk__in=held).order_by("pk"):
        most, own = held[integration.pk], Message.objects.filter(integration=integration)
        unstored = UnstoredReply.objects.filter(integration=integration, expires_at__gt=Now())
        if sum(own.filter(status=status).count() for status in RUNNING) + unstored.count() > most:
            raise TooManyReplies(
                f"This integration may have {most} replies under way at once. Ask again when one has ended."
            )


def record_replies(endings: Iterable["Ending"]) -> None:
    """In the transaction of the final saves, behind their fence. Where nobody was asked, nothing was called."""
    calls, unmade = [], []
    for ending in endings:
        call = _call(ending)
        if call.outcome != Message.Status.DONE and not call.was_made:
            unmade.append(ending.claim.id)
        else:
            calls.append(call)
    record(*calls, unmade=unmade)


def _call(ending: "Ending") -> Call:
    stream, claim = ending.stream, ending.claim
    return Call(
        **asker_of(claim),
        route=ending.route,
        counts=stream.usage,
        estimates=Usage(
            stream.tokens_read, tokens.estimate(stream.written) + tokens.estimate(stream.reasoning)
        ),
        seconds=stream.seconds,
        outcome=ending.outcome.status,
        code=ending.code,
        unknown_attempts=claim.restarts,
    )


def record_lost(ended: Iterable[tuple["Claim", Mapping[str, Any] | None]]) -> None:
    """Replies that ended without their workers, with the error of those that failed; the others were stopped."""
    record(
        *(
            _lost(claim, Message.Status.FAILED, error["code"])
            if error
            else _lost(claim, Message.Status.STOPPED)
            for claim, error in ended
        )
    )


def _lost(reply: "Claim | Message", outcome: str, code: str = "") -> Call:
    """What it consumed is unknown."""
    return Call(**asker_of(reply), outcome=outcome, code=code, unknown_attempts=reply.restarts)


def lock_running(conversation_id: uuid.UUID) -> list[Message]:
    """The replies of a conversation that wait or run; none of them ends before this transaction does."""
    running = Message.objects.select_for_update().filter(conversation=conversation_id, status__in=RUNNING)
    return list(running.order_by("id"))


def forget_replies(replies: Sequence[Message]) -> None:
    """They are deleted: for those that ran a model was called, the others come to nothing."""
    streaming = [reply for reply in replies if reply.status == Message.Status.STREAMING]
    calls = [_lost(reply, Message.Status.STOPPED, "deleted") for reply in streaming]
    record(*calls, unmade=[reply.id for reply in replies])


def tokens_of(request: ModelRequest) -> int:
    """About how many tokens the request has."""
    return tokens.of_turns(request.turns)


def running_replies(messages: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    running = Message.objects.filter(id__in=messages, status__in=RUNNING)
    return set(running.values_list("id", flat=True))


def _tokens_to_read(reply: Message, conversation: Conversation) -> int:
    assert reply.model is not None
    turns, size = Message.objects.size_of_path(reply.parent_id) if reply.parent_id else (0, 0)
    system = tokens.estimate_turns([conversation.system] if conversation.system else [])
    begun = tokens.estimate_turns([reply.begun] if reply.begun else [])
    whole = system + tokens.of_bytes(size) + turns * tokens.TOKENS_PER_TURN + begun
    return min(whole, reply.model.context_window or whole)


def asker_of(reply: "Claim | Message") -> dict[str, Any]:
    """The fields of a call that say who asked for what."""
    return {
        "workspace": reply.workspace_id,
        "user": reply.user_id,
        "integration": reply.integration_id,
        "conversation": reply.conversation_id,
        "message": reply.id,
        "attempt": reply.attempt,
        "purpose": "reply",
        "model": reply.model_id,
        "model_name": reply.model_name,
    }
