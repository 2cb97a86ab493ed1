"""The right to ask a deployment: its breaker and its limits, decided together."""

import uuid
from dataclasses import dataclass

from django.db import transaction

from chatcore.llm import breakers, places
from chatcore.llm.candidates import Candidate
from chatcore.llm.contents import image_tokens
from chatcore.llm.types import ModelRequest

CHARACTERS_PER_TOKEN = 4
USUAL_ANSWER = 500  # tokens, where the request sets no limit


@dataclass(frozen=True, slots=True)
class Admission:
    """The right to ask a candidate: as the one probe of its breaker, in a counted place, or just so."""

    candidate: Candidate
    probe: uuid.UUID | None = None
    call: uuid.UUID | None = None


@transaction.atomic
def admit(candidate: Candidate, tokens: int) -> Admission | str:
    """The right to ask the candidate as things stand now, or why not: `circuit_open`, `busy`."""
    probe = call = None
    if breakers.is_open(breakers.health_now(candidate.deployment_id)):
        probe = breakers.take_probe(candidate.deployment_id)
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


def admit_early(candidate: Candidate) -> Admission | None:
    """The right to look before its time whether it is back, for a request that nobody else can answer."""
    probe = breakers.take_probe(candidate.deployment_id, early=True)
    return Admission(candidate, probe=probe) if probe else None


def estimated_tokens(request: ModelRequest) -> int:
    """What the request may cost, before it is made: four characters a token, and the length of an answer."""
    limit = request.params.get("max_tokens")
    return input_tokens(request) + (limit if isinstance(limit, int) else USUAL_ANSWER)


def input_tokens(request: ModelRequest) -> int:
    """About what the model will read."""
    text = sum(len(turn.text) for turn in request.turns)
    return text // CHARACTERS_PER_TOKEN + image_tokens(request.turns)
