"""What can be wrong with messages from outside."""

from typing import ClassVar

from chatcore.errors import Conflict, Invalid


class LoopDetected(Conflict):
    """The message has passed through too many systems. Two of them answer each other; break the circle."""

    code: ClassVar[str] = "loop_detected"


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request. Use a new key for each new request."""

    code: ClassVar[str] = "idempotency_key_reused"


class IdempotencyKeyBusy(Conflict):
    """The first request with this Idempotency-Key is still being carried out. Send it again in a moment."""

    code: ClassVar[str] = "idempotency_key_busy"
    retryable: ClassVar[bool] = True


class BatchRefused(Invalid):
    """Nothing was stored: all or nothing was wished for, and some of the messages cannot be accepted."""

    code: ClassVar[str] = "batch_refused"
