"""Requests that lend each other their threads leave nothing behind in them."""

import asyncio
from typing import Any

import httpx
import pytest
from django.db import connection, connections

from chatcore.accounts.bootstrap import ensure
from tests.serving import serving
from tests.until import until

THREADED, ON_THE_LOOP = "/api/v1/conversations/", "/api/v1/events"


@pytest.fixture
def key(transactional_db: None) -> str:
    made = ensure("owner@example.com", None, "Home", "tests").key_text
    assert made
    connections.close_all()
    return made


def lent_connections() -> int:
    """Also those that threads of earlier tests have kept."""
    found: Any = connection.pool.get_stats()  # type: ignore[attr-defined]
    return int(found["pool_size"] - found["pool_available"])


async def test_every_connection_is_given_back_when_the_answers_are_sent(key: str) -> None:
    kept = lent_connections()
    async with serving() as (host, port):
        headers = {"X-API-Key": key}
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as client:
            asked = [client.get(path) for path in (THREADED, ON_THE_LOOP) * 12]
            answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} == {200}
        await until(lambda: lent_connections() <= kept)
