"""How fast deployments begin to answer, measured where a strategy asks for it."""

import time
import uuid

from django.db import connection

from chatcore.llm.candidates import Candidate
from chatcore.llm.models import Model

KEPT = 20
SAMPLE_SECONDS = 1.0  # between two measurements of a deployment by one process

_noted_at: dict[uuid.UUID, float] = {}


def is_due(candidate: Candidate) -> bool:
    """Whether this answer is the one to measure."""
    if candidate.strategy != Model.Strategy.LOWEST_LATENCY:
        return False
    now = time.monotonic()
    if now - _noted_at.get(candidate.deployment_id, float("-inf")) < SAMPLE_SECONDS:
        return False
    _noted_at[candidate.deployment_id] = now
    return True


def note(deployment_id: uuid.UUID, seconds: float) -> None:
    """`seconds` to the first token, as the newest of the twenty that are kept."""
    with connection.cursor() as sql:
        sql.execute(_NOTE, {"id": deployment_id, "seconds": seconds, "kept": KEPT})


_NOTE = """
insert into llm_deploymenthealth as h (deployment_id, latencies)
values (%(id)s, array[%(seconds)s]::float[])
on conflict (deployment_id) do update set latencies = (excluded.latencies || h.latencies)[1:%(kept)s]
"""
