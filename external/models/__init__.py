"""Tables of external messages: each noun has a module."""

from external.models.authenticators import Authenticator, KeySet, UsedProof
from external.models.completions import Completion
from external.models.idempotency import IdempotencyRecord
from external.models.identities import Identity
from external.models.messages import IntakeMessage
from external.models.policies import IntakePolicy
from external.models.schedules import Schedule, ScheduleRun
from external.models.threads import Thread

__all__ = [
    "Authenticator",
    "Completion",
    "IdempotencyRecord",
    "Identity",
    "IntakeMessage",
    "IntakePolicy",
    "KeySet",
    "Schedule",
    "ScheduleRun",
    "Thread",
    "UsedProof",
]
