"""Must hold 1 of messages from outside: 500 posts at once under one idempotency key, from 20 processes to two web
processes, are one message, one reply and one call of the model; none is answered with a 5xx. After the key that sent
them was rotated, its successor is still given the first answer.
"""

import asyncio
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any, TypeAlias

import aiohttp

from bench import installation
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer
from tests.upstreams.server import Upstream

Answers: TypeAlias = Counter[tuple[int, str]]  # how many got which status and message

PATH = "/api/v1/intake/messages"
MODEL, PLAN = "answer", "stream-5x10"
PROCESSES, POSTS = 20, 25
IDEMPOTENCY_KEY = "flood-0123456789abcdef"
BODY = {"content": "Disk 93 % full", "external_id": "alert-1", "respond": {"model": MODEL}}
BUSY = 409  # the first of them is still at work: ask again
UNLIMITED = {"RATE_LIMIT_KEY": "10000000", "RATE_LIMIT_WORKSPACE": "10000000"}
LONGEST_SECONDS = 120
SETTLE_SECONDS = 3.0
ROTATE = """
from chatcore.accounts import keys
from chatcore.accounts.models import Integration
print(keys.rotate(Integration.objects.get(name="tests"))[1])
"""
STORED = """
select (select count(*) from external_intakemessage), (select count(*) from conversations_message),
    (select count(*) from usage_usage where purpose = 'reply')
"""


def run() -> list[Figure]:
    with (
        installation.postgres(),
        _upstream() as upstream,
        RedisServer() as redis,
        Chatcore(redis_url=redis.url, webs=2, environment=UNLIMITED) as chatcore,
    ):
        installation.add_models(chatcore, "openai", upstream.url, {MODEL: PLAN})
        answers = _flood(chatcore.urls, chatcore.key)
        chatcore.key = chatcore.manage("shell", "--no-imports", "-c", ROTATE).strip()
        again = asyncio.run(_post_all(chatcore.url, chatcore.key, 1))
        asyncio.run(asyncio.sleep(SETTLE_SECONDS))
        with chatcore.connect() as sql:
            stored = sql.execute(STORED).fetchone()
        calls = sum("title" not in str(request.body).lower() for request in upstream.requests)
    refused = sum(count for (status, _), count in answers.items() if status not in (200, 202))
    named = {message for _, message in answers | again}
    print(f"answers {dict(answers)}, after the rotation {dict(again)}, rows {stored}", file=sys.stderr)
    return [
        Figure("M10 posts of 500 that were refused", refused, "", None, None, "0", refused == 0),
        Figure("M10 messages the answers name", len(named), "", None, None, "1", len(named) == 1),
        Figure("M10 calls of the model", calls, "", None, None, "1", calls == 1),
    ]


@contextmanager
def _upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    upstream.start()
    try:
        yield upstream
    finally:
        upstream.stop()


def _flood(urls: Sequence[str], key: str) -> Answers:
    """All processes wait for each other before they post."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(PROCESSES)
    told: multiprocessing.Queue[Answers] = context.Queue()
    processes = [
        context.Process(target=_flood_from, args=(urls[number % len(urls)], key, start, told))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    answers = sum((told.get(timeout=LONGEST_SECONDS) for _ in processes), Counter())
    for process in processes:
        process.join()
    return answers


def _flood_from(url: str, key: str, start: Barrier, told: "multiprocessing.Queue[Answers]") -> None:
    start.wait(LONGEST_SECONDS)
    told.put(asyncio.run(_post_all(url, key, POSTS)))


async def _post_all(url: str, key: str, count: int) -> Answers:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": IDEMPOTENCY_KEY}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        return Counter(await asyncio.gather(*(_post(session) for _ in range(count))))


async def _post(session: aiohttp.ClientSession) -> tuple[int, str]:
    """The status that is no "ask again", and the message it names."""
    while True:
        async with session.post(PATH, json=BODY) as response:
            answer: Any = await response.json()
            if response.status != BUSY:
                return response.status, str(answer.get("message", {}).get("id", answer))
            await asyncio.sleep(float(response.headers["Retry-After"]))
