"""The right to ask a deployment: its breaker and its limits, decided together."""

import asyncio
import uuid
from dataclasses import dataclass

from django.db import transaction

from chatcore.llm import breakers, line, places
from chatcore.llm.candidates import Candidate
from chatcore.llm.types import ModelRequest
from chatcore.offload import offload

USUAL_ANSWER = 500  # tokens, where the request sets no limit


@dataclass(frozen=True, slots=True)
class Admission:
    """The right to ask a candidate: as the one probe of its breaker, in a counted place, or just so."""

    candidate: Candidate
    probe: uuid.UUID | None = None
    call: uuid.UUID | None = None


async def admitted(candidate: Candidate, tokens: int, *, early: bool = False) -> Admission | str:
    """`admit`, in a thread. What it takes for one who is stopped meanwhile is given back."""
    taking = asyncio.ensure_future(offload(admit, candidate, tokens, early=early))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        taking.add_done_callback(_give_back)
        raise


@transaction.atomic
def admit(candidate: Candidate, tokens: int, *, early: bool = False) -> Admission | str:
    """The right to ask the candidate as things stand now, or why not: `circuit_open`, `busy`.

    `early` is for a request that nobody else can answer: it may look before its time whether the candidate is back.
    """
    probe = call = None
    if breakers.is_open(breakers.health_now(candidate.deployment_id)):
        if candidate.is_limited:
            places.lock([candidate.deployment_id])
        probe = breakers.take_probe(candidate.deployment_id, early=early)
        if probe is None:
            return "circuit_open"
    if candidate.is_limited:
        call = places.take_place(candidate.deployment_id, tokens)
        if call is None:
            transaction.set_rollback(True)
            return "busy"
    elif candidate.is_counted:
        call = places.count_call(candidate.deployment_id, tokens)
    return Admission(candidate, probe, call)


def _give_back(taking: "asyncio.Future[Admission | str]") -> None:
    if taking.cancelled() or taking.exception():
        return
    entered = taking.result()
    if isinstance(entered, Admission):
        if entered.call:
            line.shared().leave(entered.call, 0)
        if entered.probe:
            line.shared().give_back_probe(entered.candidate.deployment_id, entered.probe)


def answer_tokens(request: ModelRequest) -> int:
    """What its answer may take of `tpm`, before it is made."""
    limit = request.params.get("max_tokens")
    return limit if isinstance(limit, int) else USUAL_ANSWER
