"""Tables of external messages, one module for each noun."""

from external.models.sources import Arrival, Fetch, Rejection, ReplyPart, Source

__all__ = ["Arrival", "Fetch", "Rejection", "ReplyPart", "Source"]
