"""Tables of external messages: each noun has a module."""

from external.models.authenticators import Authenticator, KeySet, UsedProof
from external.models.completions import Completion
from external.models.idempotency import IdempotencyRecord
from external.models.identities import Identity
from external.models.messages import IntakeMessage
from external.models.policies import IntakePolicy
from external.models.schedules import Schedule, ScheduleRun
from external.models.sources import Arrival, Fetch, Rejection, ReplyPart, Source
from external.models.threads import Thread

__all__ = [
    "Arrival",
    "Authenticator",
    "Completion",
    "Fetch",
    "IdempotencyRecord",
    "Identity",
    "IntakeMessage",
    "IntakePolicy",
    "KeySet",
    "Rejection",
    "ReplyPart",
    "Schedule",
    "ScheduleRun",
    "Source",
    "Thread",
    "UsedProof",
]
