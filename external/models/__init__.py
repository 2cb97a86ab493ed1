"""Tables of what comes from outside and of what is told to outside: each noun has a module."""

from external.models.idempotency import IdempotencyRecord
from external.models.messages import IntakeMessage
from external.models.policies import IntakePolicy
from external.models.threads import Thread
from external.models.webhooks import Attempt, Delivery, Dispatch, Webhook

__all__ = [
    "Attempt",
    "Delivery",
    "Dispatch",
    "IdempotencyRecord",
    "IntakeMessage",
    "IntakePolicy",
    "Thread",
    "Webhook",
]
