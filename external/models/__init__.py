"""Tables of what comes from outside and goes there."""

from external.models.completions import Completion

__all__ = ["Completion"]
