"""Tables of external messages: each noun has a module."""

from external.models.identities import Identity
from external.models.policies import IntakePolicy

__all__ = ["Identity", "IntakePolicy"]
