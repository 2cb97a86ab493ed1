"""Jobs: with the transaction, announced after it, never lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from procrastinate.jobs import Job

from chatcore import jobs
from chatcore.offload import offload
from chatcore.processes import job_loop
from chatcore.processes.job_loop import JobLoop, PromptWorker
from tests.until import until_a_worker_listens

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 20.0
ran: "asyncio.Queue[str]" = asyncio.Queue()


@jobs.app.task(name="tests.note")
async def note(text: str) -> None:
    ran.put_nowait(text)


@jobs.app.task(name="tests.wait", retry=jobs.Retry())
async def wait(text: str) -> None:
    ran.put_nowait(text)
    await asyncio.Event().wait()


@jobs.app.task(name="tests.fail", retry=jobs.Retry(attempts=1))
async def fail(text: str) -> None:
    ran.put_nowait(text)
    raise ValueError(text)


@pytest.fixture(autouse=True)
def empty_queue(transactional_db: None) -> Iterator[None]:
    global ran  # noqa: PLW0603 (a queue belongs to the loop of its test)
    ran = asyncio.Queue()
    yield
    execute("delete from procrastinate_jobs")
    execute("delete from procrastinate_workers")


def execute(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def statuses() -> list[str]:
    """Of this file's jobs: a worker also enqueues what is due by the clock."""
    ours = "select status from procrastinate_jobs where task_name like 'tests.%%' order by id"
    return [status for (status,) in execute(ours)]


def make_worker_row(seconds_ago: float) -> int:
    statement = (
        "insert into procrastinate_workers (last_heartbeat) values (now() - %s * interval '1 s') returning id"
    )
    return int(execute(statement, seconds_ago)[0][0])


def make_job_at_work(worker_id: int | None, *, aborted: bool = False) -> int:
    job_id = jobs.defer(note, text="at work")
    execute(
        "update procrastinate_jobs set status = 'doing', worker_id = %s, abort_requested = %s where id = %s",
        worker_id,
        aborted,
        job_id,
    )
    return job_id


@asynccontextmanager
async def working(grace: float = 3.0) -> AsyncIterator[JobLoop]:
    loop = JobLoop(concurrency=10, grace_seconds=grace)
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        loop.stop()
        await task


async def next_run() -> str:
    return await asyncio.wait_for(ran.get(), PATIENCE)


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_loop, "POLLING_SECONDS", 3600.0)


async def test_a_worker_takes_a_job_when_it_is_told(no_polling: None) -> None:
    async with working():
        await until_a_worker_listens()
        await offload(jobs.defer, note, text="hello")
        assert await next_run() == "hello"
    assert await offload(statuses) == []  # what went well is not kept


async def test_a_job_can_be_named(no_polling: None) -> None:
    await offload(jobs.defer, "tests.note", text="by name")
    async with working():
        assert await next_run() == "by name"


def test_a_job_is_rolled_back_with_its_rows() -> None:
    with transaction.atomic():
        jobs.defer(note, text="never")
        assert statuses() == ["todo"]
        transaction.set_rollback(True)
    assert statuses() == []


def test_many_jobs_are_enqueued_in_one_statement() -> None:
    ids = jobs.defer_many(note, [{"text": "one"}, {"text": "two"}])
    assert [row[0] for row in execute("select id from procrastinate_jobs order by id")] == ids


def test_the_database_does_not_notify_by_itself() -> None:
    assert execute("select 1 from pg_trigger where tgname ~ 'notify_queue_job_inserted'") == []


def test_a_burst_of_commits_becomes_a_few_notifications() -> None:
    parameters = connection.get_connection_params()
    for unused in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(unused, None)
    with psycopg.connect(**parameters, autocommit=True) as listener:
        listener.execute(f"listen {jobs.CHANNEL}")
        for _ in range(1000):
            jobs.bell.ring()
        heard = list(listener.notifies(timeout=PATIENCE, stop_after=1))
        heard += list(listener.notifies(timeout=0.5))
    assert 1 <= len(heard) < 100


async def test_a_notification_during_the_question_for_more_is_not_lost(no_polling: None) -> None:
    """The library would forget it and sleep."""
    is_time = False

    async with working() as loop:
        await until_a_worker_listens()
        worker = loop._worker
        assert isinstance(worker, PromptWorker)
        ask = worker.app.job_manager.fetch_job

        async def ask_just_before_the_commit(**arguments: Any) -> Job | None:
            nonlocal is_time
            job = await ask(**arguments)
            if job is None and is_time:
                is_time = False
                await offload(note.defer, text="in between")  # without the bell: notified by hand below
                await worker._handle_notification(
                    channel=jobs.CHANNEL, notification={"type": "job_inserted", "job_id": 0}
                )
            return job

        worker.app.job_manager.fetch_job = ask_just_before_the_commit  # type: ignore[method-assign, assignment]
        await offload(jobs.defer, note, text="first")
        assert await next_run() == "first"
        is_time = True
        jobs.bell.ring()  # it may have asked for more already
        assert await next_run() == "in between"


async def test_a_job_cut_short_by_a_shutdown_runs_again() -> None:
    await offload(jobs.defer, wait, text="long")
    async with working(grace=0.0):
        assert await next_run() == "long"
    assert await offload(statuses) == ["todo"]
    async with working(grace=0.0):
        assert await next_run() == "long"


async def test_a_failing_job_is_tried_again_as_often_as_it_says() -> None:
    await offload(jobs.defer, fail, text="broken")
    async with working():
        assert [await next_run(), await next_run()] == ["broken", "broken"]
    assert await offload(statuses) == ["failed"]


def test_jobs_of_a_dead_worker_go_to_the_living() -> None:
    dead, living = make_worker_row(seconds_ago=6), make_worker_row(seconds_ago=1)
    for worker_id in (dead, living, None):
        make_job_at_work(worker_id)
    assert jobs.rescue_orphans() == 2
    assert statuses() == ["todo", "doing", "todo"]
    assert execute("select id from procrastinate_workers") == [(living,)]
    assert jobs.rescue_orphans() == 0


def test_a_job_of_a_dead_worker_that_was_to_be_stopped_ends() -> None:
    make_job_at_work(make_worker_row(seconds_ago=60), aborted=True)
    jobs.rescue_orphans()
    assert statuses() == ["failed"]


def test_jobs_that_ended_long_ago_are_removed() -> None:
    for _ in range(3):
        make_job_at_work(None)
    old, recent, _ = (job_id for (job_id,) in execute("select id from procrastinate_jobs order by id"))
    execute("update procrastinate_jobs set status = 'failed' where id in (%s, %s)", old, recent)
    execute("update procrastinate_events set at = now() - interval '25 hours' where job_id <> %s", recent)
    assert jobs.remove_finished() == 1
    assert statuses() == ["failed", "doing"]
