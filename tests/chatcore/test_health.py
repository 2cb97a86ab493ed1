"""What /healthz and /readyz say."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import AsyncRequestFactory
from pytest_django import Settings

from chatcore import health
from chatcore.offload import offload
from tests.servers import free_port

pytestmark = pytest.mark.django_db(transaction=True)
READY = {"database": "ok", "queue": "ok", "layer": "ok"}


@pytest.fixture(autouse=True)
def empty_queue(transactional_db: None) -> Iterator[None]:
    yield
    execute("delete from procrastinate_jobs")
    execute("delete from procrastinate_workers")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


async def ready() -> tuple[int, dict[str, str]]:
    response = await health.readyz(AsyncRequestFactory().get("/readyz"))
    body = json.loads(response.content)
    assert body["status"] == ("ready" if response.status_code == 200 else "not ready")
    return response.status_code, body["parts"]


async def test_alive_is_said_without_asking_anything() -> None:
    response = await health.healthz(AsyncRequestFactory().get("/healthz"))
    assert json.loads(response.content) == {"status": "ok"}


async def test_without_jobs_no_worker_is_needed() -> None:
    assert await ready() == (200, READY)


async def test_jobs_that_wait_need_a_living_worker() -> None:
    await offload(execute, "insert into procrastinate_jobs (queue_name, task_name) values ('default', 'any')")
    long_ago = "insert into procrastinate_workers (last_heartbeat) values (now() - interval '11 seconds')"
    await offload(execute, long_ago)
    assert await ready() == (503, READY | {"queue": "jobs wait and no worker has been seen for ten seconds"})
    await offload(execute, "insert into procrastinate_workers default values")
    assert await ready() == (200, READY)


async def test_jobs_for_later_need_no_worker_yet() -> None:
    await offload(
        execute,
        "insert into procrastinate_jobs (queue_name, task_name, scheduled_at)"
        " values ('default', 'any', now() + interval '1 hour')",
    )
    assert await ready() == (200, READY)


async def test_the_layer_between_processes_must_answer(settings: Settings, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    assert await ready() == (200, READY)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    assert await ready() == (503, READY | {"layer": "Redis cannot be reached"})


async def test_a_lost_database_is_said_in_words() -> None:
    def move(place: str) -> None:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict["HOST"] = place

    here = connection.settings_dict["HOST"]
    await offload(move, "/nowhere")
    try:
        status, parts = await ready()
    finally:
        await offload(move, here)
    assert status == 503
    assert parts == {
        "database": "cannot be reached",
        "queue": "not known without the database",
        "layer": "ok",
    }
