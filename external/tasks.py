"""Jobs of external messages, which Procrastinate finds here."""

from external.sources import jobs as _sources  # noqa: F401 (its tasks register themselves)
