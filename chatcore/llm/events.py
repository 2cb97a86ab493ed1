"""The models' part of the catalogue: what staff hear of deployments."""

import uuid
from datetime import datetime

from chatcore.realtime.catalogue import EventBody


class BreakerState(EventBody):
    """Which deployment, of which model at which provider."""

    deployment: uuid.UUID
    label: str
    model: str
    provider: str


class BreakerOpened(BreakerState, type="breaker.opened"):
    """A deployment failed and is asked no more until `until`; `code` says how. The owners and admins of its
    workspace hear of it; of one that all workspaces share, the staff of this server.
    """

    code: str
    failures: int
    until: datetime


class BreakerClosed(BreakerState, type="breaker.closed"):
    """The deployment answers again, or staff closed its breaker."""
