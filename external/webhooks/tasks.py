"""Jobs of the webhooks. Each may run as often as it likes: the rows decide."""

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from chatcore.jobs import Retry, app
from chatcore.offload import offload
from external.models import Attempt, Delivery, Webhook
from external.webhooks import challenge as asking
from external.webhooks.enqueue import CHALLENGE
from external.webhooks.states import bury

KEPT = timedelta(days=30)
BATCH = 1_000


@app.task(name=CHALLENGE, queue="external", retry=Retry())
async def challenge(webhook_id: str) -> None:
    await asking.challenge(uuid.UUID(webhook_id))


@app.periodic(cron="27 * * * *")
@app.task(name="webhooks.tidy", queue="background", retry=Retry(attempts=3))
async def tidy(timestamp: int) -> None:  # noqa: ARG001
    """Forget what ended a month ago; bury what was made for a webhook while it was disabled."""
    await offload(bury_forgotten, timezone.now())
    while await offload(trim, timezone.now()) == BATCH:
        pass


def trim(now: datetime, batch: int = BATCH) -> int:
    """Delete up to a batch of deliveries that ended more than 30 days ago, with their attempts; returns how many."""
    old = Delivery.objects.filter(ended_at__lt=now - KEPT).order_by("ended_at")
    ids = list(old.values_list("id", flat=True)[:batch])
    Attempt.objects.filter(delivery__in=ids).delete()
    deleted, _ = Delivery.objects.filter(id__in=ids, ended_at__isnull=False).delete()
    return len(ids) if deleted else 0


def bury_forgotten(now: datetime) -> None:
    disabled = Webhook.objects.filter(
        status=Webhook.Status.DISABLED, deliveries__status=Delivery.Status.PENDING
    )
    for webhook_id in set(disabled.values_list("id", flat=True)):
        bury(webhook_id, now)
