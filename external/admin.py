"""Staff pages of external messages, which Django finds here."""

from external.authenticators import staff as _authenticators  # noqa: F401 (its pages register themselves)
