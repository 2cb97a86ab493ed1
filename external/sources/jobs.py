"""Jobs of sources. Each carries an id and nothing else; the rows decide."""

import uuid
from datetime import timedelta

from django.utils import timezone

from chatcore.jobs import Retry, app
from chatcore.offload import offload
from external.fetching import FETCH, fetch_file
from external.models import Rejection
from external.sources.returning import RETURN, return_reply

REJECTIONS_KEPT = timedelta(days=30)


@app.task(name=RETURN, queue="external", retry=Retry())
async def return_(reply_id: str) -> None:
    await return_reply(uuid.UUID(reply_id))


@app.task(name=FETCH, queue="external", retry=Retry())
async def fetch(fetch_id: str) -> None:
    await fetch_file(uuid.UUID(fetch_id))


@app.periodic(cron="23 3 * * *")
@app.task(name="external.forget_rejections", queue="background", retry=Retry())
async def forget_rejections(timestamp: int) -> None:  # noqa: ARG001
    await offload(forget_old_rejections)


def forget_old_rejections() -> int:
    """Those that are older than thirty days; returns how many."""
    old = Rejection.objects.filter(created_at__lt=timezone.now() - REJECTIONS_KEPT)
    return old.delete()[0]
