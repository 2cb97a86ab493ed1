"""Procrastinate's worker inside our event loop: takes jobs from Postgres and runs them as coroutines.

Coroutine jobs get no Django connection handling around them: they use `chatcore.offload`, which has its own.
"""

from typing import Any

from procrastinate.contrib.django import app
from procrastinate.contrib.django.db_cleanup import close_db_connections
from procrastinate.contrib.django.utils import connector_params
from procrastinate.jobs import Notification
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.worker import Worker as ProcrastinateWorker
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from chatcore.jobs import DEAD_AFTER_SECONDS, HEARTBEAT_SECONDS

POLLING_SECONDS = 1.0
POOL_SIZE = 4
CONNECT_SECONDS = 3.0


class JobLoop:
    """One life of the worker with connections of its own; ends by `stop` or by an error."""

    def __init__(self, concurrency: int, grace_seconds: float) -> None:
        self._concurrency = concurrency
        self._grace_seconds = grace_seconds
        self._worker: PromptWorker | None = None
        self._stopped = False

    async def run(self) -> None:
        pool = AsyncConnectionPool(
            kwargs=connector_params(),
            min_size=1,
            max_size=POOL_SIZE,
            open=False,
            configure=_autocommit,
            check=AsyncConnectionPool.check_connection,
        )
        try:
            await pool.open(wait=True, timeout=CONNECT_SECONDS)
            connector = PsycopgConnector()
            await connector.open_async(pool)
            self._worker = self._made(connector)
            if not self._stopped:
                await self._worker.run()  # type: ignore[no-untyped-call]
        finally:
            await pool.close()

    def stop(self) -> None:
        self._stopped = True
        if self._worker:
            self._worker.stop()  # type: ignore[no-untyped-call]

    def _made(self, connector: PsycopgConnector) -> "PromptWorker":
        app.perform_import_paths()  # type: ignore[no-untyped-call]
        return PromptWorker(
            app=app.with_connector(connector),
            concurrency=self._concurrency,
            fetch_job_polling_interval=POLLING_SECONDS,
            abort_job_polling_interval=POLLING_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=DEAD_AFTER_SECONDS,
            shutdown_graceful_timeout=self._grace_seconds,
            install_signal_handlers=False,
            delete_jobs="successful",
            task_middleware=[close_db_connections],
        )


class PromptWorker(ProcrastinateWorker):
    """The library forgets a notification that comes while it asks for the next job, and waits a whole polling
    interval then. This one asks again.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._rung = False

    async def _handle_notification(self, *, channel: str, notification: Notification) -> None:
        self._rung = True
        await super()._handle_notification(channel=channel, notification=notification)

    async def _fetch_and_process_jobs(self) -> None:
        self._rung = True
        while self._rung and not self._stop_event.is_set():
            self._rung = False
            await super()._fetch_and_process_jobs()  # type: ignore[no-untyped-call]


async def _autocommit(connection: AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)
