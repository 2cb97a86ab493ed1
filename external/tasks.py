"""Jobs of external messages, which Procrastinate finds here."""

from django.utils import timezone

from chatcore.jobs import Retry, app
from chatcore.offload import offload
from external import housekeeping
from external.sources import jobs as _sources  # noqa: F401 (its tasks register themselves)


@app.periodic(cron="23 * * * *")
@app.task(name="external.tidy", queue="background", retry=Retry(attempts=3))
async def tidy(timestamp: int) -> None:  # noqa: ARG001
    """Archive and delete what integrations' policies say, and forget old idempotency keys."""
    await offload(housekeeping.tidy, timezone.now())
