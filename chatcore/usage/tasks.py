"""Jobs of the ledger and the budgets. Each may run as often as it likes: the rows decide."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from chatcore.jobs import Retry, app
from chatcore.offload import offload
from chatcore.usage import counters, periods, spending
from chatcore.usage.holders import still_running
from chatcore.usage.models import Reservation, Spending
from chatcore.usage.rollup import rollup

FORGOTTEN_SECONDS = 60
BATCH = 1_000


@app.periodic(cron="7 * * * *")
@app.task(name="usage.sum_up", queue="background", retry=Retry(attempts=3))
async def sum_up(timestamp: int) -> None:  # noqa: ARG001
    """The days that are over into their table, and the counters of budgets against the ledger."""
    await offload(rollup)
    await offload(recount_current)


@app.periodic(cron="* * * * *")
@app.task(name="usage.sweep", queue="background", retry=Retry())
async def sweep(timestamp: int) -> None:  # noqa: ARG001
    await offload(sweep_reservations)


@transaction.atomic
def sweep_reservations(older_than_seconds: float = FORGOTTEN_SECONDS) -> int:
    """Give back what was set aside for replies that neither wait nor run any more; returns how many those were.

    Replies give back what is theirs when they end. These were deleted behind the product's back.
    """
    old = Reservation.objects.filter(created_at__lt=timezone.now() - timedelta(seconds=older_than_seconds))
    messages = set(old.order_by("id").values_list("message", flat=True)[:BATCH])
    lost = messages - still_running(messages)
    spending.release(lost)
    return len(lost)


def recount_current() -> None:
    """One counter at a time, each in a transaction of its own: nobody waits for all of them."""
    today = periods.start_of("day", timezone.now())
    current = Spending.objects.filter(starts_on__gte=today.replace(day=1))
    for counter in current.values_list("budget", "starts_on"):
        with transaction.atomic():
            counters.recount(counter)
