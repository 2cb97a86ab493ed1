"""Staff pages of external messages, which Django finds here."""

from external import staff as _intake  # noqa: F401 (its pages register themselves)
from external.authenticators import staff as _authenticators  # noqa: F401 (its pages register themselves)
from external.identities import staff as _identities  # noqa: F401 (its pages register themselves)
from external.schedules import staff as _schedules  # noqa: F401 (its pages register themselves)
from external.sources import staff as _sources  # noqa: F401 (its pages register themselves)
from external.webhooks import staff as _webhooks  # noqa: F401 (its pages register themselves)
