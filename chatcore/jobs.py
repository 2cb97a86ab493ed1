"""Background jobs: enqueued in the transaction of the rows they belong to, announced after its commit.

Define a task with `@app.task(retry=Retry())` in an app's `tasks.py`, enqueue it with `defer(task or its name)`.
The job carries an id and nothing else; the row decides what is still to be done, so running twice is harmless.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, LiteralString

from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import JobAborted
from procrastinate.jobs import Job, JobDeferrer
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.tasks import Task

from chatcore import rows
from chatcore.offload import offload

__all__ = ["Retry", "app", "bell", "connect", "defer", "defer_many", "remove_finished", "rescue_orphans"]

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
DEAD_AFTER_SECONDS = 5.0
KEPT_AFTER_END = "1 day"
BELL_GAP_SECONDS = 0.01
CHANNEL = "procrastinate_any_queue_v1"
RING = f"""set local synchronous_commit = off; notify {CHANNEL}, '{{"type": "job_inserted", "job_id": 0}}'"""

AnyTask = Task[Any, Any, Any]


def defer(task: AnyTask | JobDeferrer | str, **arguments: Any) -> int:
    """Enqueue a job in the current transaction and give its id. A task's `configure(…)` sets its options."""
    job_id = _deferrer(task).defer(**arguments)
    transaction.on_commit(bell.ring)
    return job_id


def defer_many(task: AnyTask | JobDeferrer | str, arguments: Iterable[dict[str, Any]]) -> list[int]:
    """Enqueue a job for each set of arguments, in one statement. A lock of the queue that is taken is an error."""
    job = _deferrer(task).job
    wanted = rows.json_text([job.task_kwargs | each for each in arguments])
    found = rows.execute(_DEFER, vars(job) | {"arguments": wanted})
    transaction.on_commit(bell.ring)
    return [job_id for (job_id,) in found]


def _deferrer(task: AnyTask | JobDeferrer | str) -> JobDeferrer:
    if isinstance(task, str):
        return app.configure_task(task, allow_unknown=False)
    return task.configure() if isinstance(task, Task) else task


# The library's own `batch_defer` says the same in ten times the time: it keeps an account of each job for its log.
_DEFER = """
select unnest(procrastinate_defer_jobs_v1(array(
    select row(
        %(queue)s::text, %(task_name)s::text, %(priority)s::int, %(lock)s::text, %(queueing_lock)s::text, arguments,
        %(scheduled_at)s::timestamptz
    )::procrastinate_job_to_defer_v1
    from jsonb_array_elements(%(arguments)s::jsonb) with ordinality as wanted(arguments, place) order by place
)))
"""


@dataclass(frozen=True)
class Retry(BaseRetryStrategy):
    """A job cut short by a shutdown runs again at once; one that failed, `attempts` times, ever later."""

    attempts: int = 0
    longest_wait_seconds: int = 300

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, JobAborted | asyncio.CancelledError):
            return RetryDecision()
        if job.attempts >= self.attempts:
            return None
        return RetryDecision(retry_in={"seconds": min(2**job.attempts, self.longest_wait_seconds)})


class Bell:
    """Wakes the workers. Within this process all rings of 10 ms become one notification.

    A notification inside the transaction of the rows would serialise every commit of the whole database, hence
    one of its own, by a thread of its own. A ring that is lost costs a second: workers also poll.
    """

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        self._rung.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            try:
                self._notify()
            except Exception as error:
                logger.warning(
                    "workers were not notified of new jobs and will find them by polling: %s", error
                )
            time.sleep(BELL_GAP_SECONDS)

    def _notify(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(RING)
        finally:
            connection.close()


bell = Bell()


class OffloadedConnector(DjangoConnector):
    """Procrastinate's own awaitable calls (periodic jobs) by our bounded threads, which return connections."""

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        await offload(self.execute_query, query, **arguments)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        return await offload(self.execute_query_one, query, **arguments)

    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        return await offload(self.execute_query_all, query, **arguments)


def connect() -> None:
    """Give Procrastinate's app our connector; once, when Django's apps are ready."""
    app.connector = OffloadedConnector()
    app.job_manager = JobManager(app.connector)


def rescue_orphans(dead_after_seconds: float = DEAD_AFTER_SECONDS) -> int:
    """Hand the jobs of workers without a heartbeat to the living, and forget those workers."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            with dead as (
                select id from procrastinate_workers
                where last_heartbeat < now() - %(seconds)s * interval '1 second'
            )
            update procrastinate_jobs
            set status = (case when abort_requested then 'failed' else 'todo' end)::procrastinate_job_status,
                abort_requested = false, attempts = attempts + 1, worker_id = null
            where status = 'doing' and (worker_id is null or worker_id in (select id from dead))
            """,
            {"seconds": dead_after_seconds},
        )
        rescued = int(cursor.rowcount)
        cursor.execute(
            "delete from procrastinate_workers where last_heartbeat < now() - %(seconds)s * interval '1 second'",
            {"seconds": dead_after_seconds},
        )
    if rescued:
        logger.warning("%d jobs of a worker that died run again", rescued)
        bell.ring()
    return rescued


def remove_finished(kept: str = KEPT_AFTER_END, at_most: int = 10_000) -> int:
    """Delete jobs that failed or were cancelled long ago (a Postgres interval). Those that went well are gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            delete from procrastinate_jobs where id in (
                select id from procrastinate_jobs job
                where status in ('succeeded', 'failed', 'cancelled', 'aborted') and not exists (
                    select from procrastinate_events event
                    where event.job_id = job.id and event.at > now() - %(kept)s::interval
                )
                limit %(at_most)s
            )
            """,
            {"kept": kept, "at_most": at_most},
        )
        return int(cursor.rowcount)
