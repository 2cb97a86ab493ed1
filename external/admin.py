"""Staff pages of external messages, which Django finds here."""

from external.sources import staff as _sources  # noqa: F401 (its pages register themselves)
