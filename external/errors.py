"""What can be wrong with messages from outside."""

from typing import ClassVar

from chatcore.errors import Conflict, Invalid


class LoopDetected(Conflict):
    """The message has passed through too many systems. Two of them answer each other; break the circle."""

    code: ClassVar[str] = "loop_detected"
    remedy: ClassVar[str] = (
        "Do not post what came from here to where it came from. Let the webhook's filter leave out what "
        "integrations wrote."
    )


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request. Use a new key for each new request."""

    code: ClassVar[str] = "idempotency_key_reused"
    remedy: ClassVar[str] = (
        "Send exactly what was sent first, to have its answer again, or take a new key. Nothing was stored."
    )


class IdempotencyKeyBusy(Conflict):
    """The first request with this Idempotency-Key is still being carried out. Send it again in a moment."""

    code: ClassVar[str] = "idempotency_key_busy"
    retryable: ClassVar[bool] = True
    remedy: ClassVar[str] = (
        "Send the same request with the same key again after Retry-After: then it has its answer."
    )


class BatchRefused(Invalid):
    """Nothing was stored: all or nothing was wished for, and some of the messages cannot be accepted."""

    code: ClassVar[str] = "batch_refused"
    remedy: ClassVar[str] = (
        "`errors` points to the messages that are refused: correct or leave them out, and send all "
        "again. Nothing was stored."
    )
