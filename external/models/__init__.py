"""Tables of what comes from outside and goes there."""

from external.models.authenticators import Authenticator, KeySet, UsedProof
from external.models.completions import Completion

__all__ = ["Authenticator", "Completion", "KeySet", "UsedProof"]
