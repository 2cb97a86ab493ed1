"""Jobs of the event log."""

from django.db import connection

from chatcore.jobs import Retry, app
from chatcore.offload import offload
from chatcore.realtime.cursors import KEPT_SECONDS

BATCH = 10_000


@app.periodic(cron="17 * * * *")
@app.task(name="realtime.trim", queue="background", retry=Retry())
async def trim(timestamp: int) -> None:  # noqa: ARG001
    """Delete events no cursor can be followed from any more."""
    while await offload(trim_batch) == BATCH:
        pass


def trim_batch(kept_seconds: int = KEPT_SECONDS, batch: int = BATCH) -> int:
    """Delete up to a batch of events older than that, oldest first; returns how many."""
    with connection.cursor() as sql:
        sql.execute(
            """
            delete from realtime_event where id in (
                select id from realtime_event where id < coalesce(
                    (select id from realtime_event where created_at >= now() - make_interval(secs => %s)
                     order by id limit 1), 9223372036854775807)
                order by id limit %s
            )
            """,
            [kept_seconds, batch],
        )
        deleted: int = sql.rowcount
    return deleted
