"""B1: one event to 4,000 open event streams of one web process, until each has it; against the textbook consumer.

Both servers run side by side over the same Redis, each with its own 4,000 clients in a process of their own, and take
turns. The event comes from outside, as a worker publishes it; time begins when it is given to Redis.
"""

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from bench import installation
from bench.crowd import Crowd, crowd, raise_file_limit
from bench.figure import Figure
from chatcore.ids import uuid7
from chatcore.realtime.hub import hub
from tests.running import ROOT, Chatcore
from tests.servers import RedisServer, free_port
from tests.wire import SSE, request

WATCHERS = 4_000
ROUNDS, WARM_UP_ROUNDS = 12, 3
PAUSE_SECONDS = 0.3
GROUP = "textbook"
GOAL = 0.2

Publish = Callable[[dict[str, Any]], Awaitable[None]]


def run() -> list[Figure]:
    raise_file_limit()
    with ExitStack() as stack:
        stack.enter_context(installation.postgres())
        redis = stack.enter_context(RedisServer())
        chatcore = stack.enter_context(Chatcore(redis_url=redis.url, workers=0))
        textbook = stack.enter_context(serving_textbook(redis))
        crowds = {
            "ours": (stack.enter_context(crowd()), ("127.0.0.1", chatcore.ports[0])),
            "textbook": (stack.enter_context(crowd()), textbook),
        }
        for people, address in crowds.values():
            people.open(address, request(SSE, address, "/events/", chatcore.key), "event: hello", WATCHERS)
        publish: dict[str, Publish] = {"ours": to_user(chatcore), "textbook": to_group}
        publish_through(redis)
        taken = asyncio.run(_measure({name: people for name, (people, _) in crowds.items()}, publish))
    return _figures(taken)


def _figures(taken: dict[str, list[list[float]]]) -> list[Figure]:
    """The median of the rounds' percentiles, which one disturbed round does not move."""
    figures = []
    for percent in (50, 99):
        value, baseline = (
            median(quantiles(milliseconds, n=100)[percent - 1] for milliseconds in taken[name])
            for name in ("ours", "textbook")
        )
        ratio = value / baseline
        goal, met = (f"<= {GOAL:g} x", ratio <= GOAL) if percent == 50 else ("", None)
        title = f"B1 one event to {WATCHERS:,} streams, p{percent}"
        figures.append(Figure(title, value, "ms", baseline, ratio, goal, met))
    return figures


async def _measure(crowds: dict[str, Crowd], publish: dict[str, Publish]) -> dict[str, list[list[float]]]:
    await hub.start()
    taken: dict[str, list[list[float]]] = {name: [] for name in crowds}
    for number in range(WARM_UP_ROUNDS + ROUNDS):
        for name, people in crowds.items():
            await asyncio.sleep(PAUSE_SECONDS)
            milliseconds = await until_all_have_it(people, publish[name])
            if number >= WARM_UP_ROUNDS:
                taken[name].append(milliseconds)
    await hub.stop()
    return taken


async def until_all_have_it(people: Crowd, publish: Publish) -> list[float]:
    """Milliseconds for each, from publishing."""
    word = uuid.uuid4().hex
    people.will_hear(word)
    begin = time.monotonic()
    await publish(event(word))
    heard = await asyncio.to_thread(people.heard)
    return [(moment - begin) * 1000 for moment in heard]


def event(word: str) -> dict[str, Any]:
    """A frame as the log makes it."""
    return {
        "type": "conversation.updated",
        "id": time.time_ns(),
        "version": 1,
        "workspace": str(uuid7()),
        "conversation": str(uuid7()),
        "actor": f"user:{uuid7()}",
        "at": "2026-01-01T00:00:00+00:00",
        "data": {"title": f"Measured {word}", "model": "echo", "changed": ["title"]},
    }


def to_user(chatcore: Chatcore) -> Publish:
    """Publish to the owner, whose key opened the streams."""
    script = (
        "from chatcore.accounts.models import Membership; from chatcore.realtime.feeds import user_group; "
        "m = Membership.objects.get(); print(user_group(m.workspace_id, m.user_id))"
    )
    group = chatcore.manage("shell", "--no-imports", "-c", script).strip()

    async def publish(body: dict[str, Any]) -> None:
        hub.publish([group], body)

    return publish


async def to_group(body: dict[str, Any]) -> None:
    await get_channel_layer().group_send(GROUP, {"type": "happened", "body": body})


def publish_through(redis: RedisServer) -> None:
    """This process publishes as a worker of the installation does."""
    settings.REDIS_URL = redis.url
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": backend, "CONFIG": {"hosts": [redis.url], "prefix": "chatcore"}}
    }


@contextmanager
def serving_textbook(redis: RedisServer) -> Iterator[tuple[str, int]]:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "bench.textbook", str(port)],
        cwd=ROOT,
        env=installation.environment(redis.url),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "serving"
            yield "127.0.0.1", port
        finally:
            process.terminate()
