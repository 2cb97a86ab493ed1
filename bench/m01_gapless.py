"""Must hold 1: 200 clients, each cut 20 times at random, while 8 writers commit 2,000 events out of order.

Half of them listen on WebSockets, half to server-sent events; once on two web processes over Redis, once on one
process whose events come from elsewhere. Every client must end with exactly the table's events.
"""

import asyncio
import sys

from bench import installation
from bench.figure import Figure
from tests.live.cutting import WRITERS, Ordeal
from tests.running import Chatcore
from tests.servers import RedisServer

ORDEAL = Ordeal(clients=200, cuts=20, events=WRITERS * 250, pause=2.0, open_for=8.0, seconds=120)


def run() -> list[Figure]:
    with installation.postgres(), RedisServer() as redis:
        with Chatcore(redis_url=redis.url, webs=2) as many:
            over_redis = _figure("two web processes", many)
        with Chatcore() as one:
            alone = _figure("one process", one)
    return [over_redis, alone]


def _figure(form: str, chatcore: Chatcore) -> Figure:
    outcome = asyncio.run(ORDEAL.run(chatcore))
    for fault in outcome.faults:
        print(fault, file=sys.stderr)
    made = min(client.cuts for client in outcome.clients)
    wanted = len(outcome.expected) == ORDEAL.events and made == ORDEAL.cuts
    faulty = len(outcome.faults)
    title = f"must hold 1, {form}: clients of {ORDEAL.clients} with other events than the table's"
    return Figure(title, faulty, "clients", None, None, "0", wanted and not faulty)
