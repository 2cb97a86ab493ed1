"""B4: 200 replies at once, each of 200 chunks 10 ms apart, through one web and one worker process, as OpenAI's clients
ask for them at `/v1/` and by the API's own command, and the same asked of the model directly. All are read by the same
client, so that its own work counts on every side. Each crowd comes when the processes are at rest: the titles of the
one before are written.
"""

from dataclasses import dataclass, field
from functools import partial
from statistics import median

import aiohttp

from bench import asking, installation, trees
from bench.asking import Ask, Crowd, all_at_once
from bench.figure import Figure
from bench.streams import Streams
from tests.running import Chatcore
from tests.servers import RedisServer

STREAMS, WARMING, ROUNDS = 200, 40, 5
MODEL = "stream-200x10"
GOAL_RATIO, GOAL_FIRST = 1.25, 250.0


@dataclass
class Ways:
    """The crowds of every way of asking, one for each round."""

    direct: list[Crowd] = field(default_factory=list)
    openai: list[Crowd] = field(default_factory=list)
    command: list[Crowd] = field(default_factory=list)


def run() -> list[Figure]:
    with (
        installation.postgres(),
        installation.upstream() as address,
        RedisServer() as redis,
        Chatcore(redis_url=redis.url) as chatcore,
    ):
        installation.add_models(chatcore, "openai", address, {MODEL: MODEL})
        ways = asking.run(_measure(chatcore, address))
    return [
        *_figures("B4 200 streams at /v1/", ways.openai, ways.direct),
        *_figures("B4 200 streams of the command", ways.command, ways.direct),
    ]


def _figures(name: str, through: list[Crowd], direct: list[Crowd]) -> list[Figure]:
    total, plain = median(each.total for each in through), median(each.total for each in direct)
    first, at_once = (1000 * median(each.first for each in crowds) for crowds in (through, direct))
    ratio, reached = total / plain, first <= GOAL_FIRST
    return [
        Figure(f"{name}, whole, p50", total, "s", plain, ratio, f"<= {GOAL_RATIO:g} x", ratio <= GOAL_RATIO),
        Figure(
            f"{name}, first text, p50",
            first,
            "ms",
            at_once,
            first / at_once,
            f"<= {GOAL_FIRST:g} ms",
            reached,
        ),
    ]


async def _measure(chatcore: Chatcore, address: str) -> Ways:
    ways = Ways()
    streams, plain = Streams(chatcore.url, chatcore.key), Streams(address)
    directly, completing = partial(plain.completion, MODEL), partial(streams.completion, MODEL)
    async with asking.talking(chatcore.url, chatcore.key) as session:
        await all_at_once(await _commands(session, streams, WARMING))
        await all_at_once([completing] * WARMING)
        for _ in range(ROUNDS):
            for crowds, asks in (
                (ways.direct, [directly] * STREAMS),
                (ways.openai, [completing] * STREAMS),
                (ways.command, await _commands(session, streams, STREAMS)),
            ):
                await trees.at_rest([process.pid for process in chatcore.processes.values()])
                crowds.append(await all_at_once(asks))
    plain.close()
    streams.close()
    return ways


async def _commands(session: aiohttp.ClientSession, streams: Streams, count: int) -> list[Ask]:
    """Conversations are begun beforehand; what is timed begins with the question."""
    begun = [await asking.conversation(session, MODEL) for _ in range(count)]
    return [partial(streams.reply, each) for each in begun]
