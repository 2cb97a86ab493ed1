"""Health as a balancer or a supervisor asks for it: alive, and ready to take requests."""

import asyncio
import logging

import redis
import redis.asyncio
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, JsonResponse

from chatcore.offload import offload

LAYER_SECONDS = 2.0
DATABASE_SECONDS = 5.0  # more than the wait for a connection
QUEUE = """
select exists (select from procrastinate_workers where last_heartbeat > now() - interval '10 seconds')
    or not exists (
        select from procrastinate_jobs
        where status = 'todo' and coalesce(scheduled_at, '-infinity') <= now()
    )
"""
OK = "ok"
UNKNOWN = "not known without the database"

logger = logging.getLogger(__name__)


async def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """The process answers. Asks nothing else, so that a lost database restarts nobody."""
    return JsonResponse({"status": OK})


async def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Each part's state in words; 503 while one of them is not usable."""
    (database, queue), layer = await asyncio.gather(_stored(), _layer())
    parts = {"database": database, "queue": queue, "layer": layer}
    ready = all(state == OK for state in parts.values())
    body = {"status": "ready" if ready else "not ready", "parts": parts}
    return JsonResponse(body, status=200 if ready else 503)


async def _stored() -> tuple[str, str]:
    """States of the database and of the queue in it."""
    try:
        return await asyncio.wait_for(offload(_asked), DATABASE_SECONDS)
    except TimeoutError:
        return "no answer in time", UNKNOWN


def _asked() -> tuple[str, str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUEUE)
            (served,) = cursor.fetchone()
    except DatabaseError as error:
        logger.warning("not ready: the database cannot be used: %s", error)
        return "cannot be reached", UNKNOWN
    return OK, OK if served else "jobs wait and no worker has been seen for ten seconds"


async def _layer() -> str:
    """In memory it is always there."""
    if not settings.REDIS_URL:
        return OK
    try:
        async with redis.asyncio.from_url(
            settings.REDIS_URL, socket_connect_timeout=LAYER_SECONDS, socket_timeout=LAYER_SECONDS
        ) as client:
            await client.ping()
    except (redis.RedisError, OSError) as error:
        logger.warning("not ready: Redis cannot be used: %s", error)
        return "Redis cannot be reached"
    return OK
