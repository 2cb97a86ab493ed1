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


async def test_a_body_that_is_longer_than_any_door_takes_is_not_read_to_its_end(
    settings: Any,
) -> None:
    settings.ATTACHMENT_MAX_BYTES = settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000

    async with serving() as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"2ee0\r\n" + b"x" * 12_000 + b"\r\n")
        said = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    assert said.startswith(b"HTTP/1.1 413 ")
