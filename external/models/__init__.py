"""Tables of what comes from outside and of what is told to outside: each noun has a module."""

from external.models.authenticators import Authenticator, KeySet, UsedProof
from external.models.completions import Completion
from external.models.idempotency import IdempotencyRecord
from external.models.identities import Identity
from external.models.messages import IntakeMessage
from external.models.policies import IntakePolicy
from external.models.schedules import Schedule, ScheduleRun
from external.models.sources import Arrival, Fetch, Rejection, ReplyPart, Source
from external.models.threads import Thread
from external.models.webhooks import Attempt, Delivery, Dispatch, Webhook

__all__ = [
    "Arrival",
    "Attempt",
    "Authenticator",
    "Completion",
    "Delivery",
    "Dispatch",
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
    "Webhook",
]
