"""The external messages' part of the catalogue."""

import uuid

from chatcore.realtime.catalogue import SignalBody


class ExternalAccepted(SignalBody, type="external.accepted"):
    """The first frame of a streamed intake: the message is stored, and `reply` (null: none) follows in this stream."""

    message: uuid.UUID
    conversation: uuid.UUID
    reply: uuid.UUID | None
    duplicate: bool
    strategy: str
