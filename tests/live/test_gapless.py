"""Whoever is cut and resumes by its newest cursor has every event once, in whatever order they were committed."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from chatcore import embedded
from tests.live.cutting import WRITERS, Ordeal
from tests.live.talking import Frame, live, start
from tests.running import Chatcore
from tests.servers import data_folder

ORDEAL = Ordeal(clients=24, cuts=10, events=WRITERS * 40, pause=0.4, open_for=0.8, seconds=90)


async def test_clients_that_are_cut_at_random_end_with_exactly_the_tables_events(chatcore: Chatcore) -> None:
    outcome = await ORDEAL.run(chatcore)
    assert len(outcome.expected) == ORDEAL.events
    assert all(client.cuts == ORDEAL.cuts for client in outcome.clients)
    assert not outcome.faults, "\n".join(outcome.faults[:20])


@contextmanager
def open_transaction(chatcore: Chatcore) -> Iterator[None]:
    """Somebody writes elsewhere and does not end: the horizon of the log stays where it is."""
    where = embedded.connection_settings(data_folder())
    with psycopg.connect(host=where["HOST"], user=where["USER"], dbname=chatcore.database) as connection:
        connection.execute("select pg_current_xact_id()")
        yield


async def test_what_others_have_heard_above_the_horizon_reaches_one_that_comes_back(
    chatcore: Chatcore,
) -> None:
    def created(frame: Frame) -> bool:
        return frame["type"] == "conversation.created"

    async with live(chatcore) as other:
        cursor = (await other.until("hello"))["data"]["cursor"]
        with open_transaction(chatcore), chatcore.client() as http:
            first = start(http)
            await other.until(created, first)
            async with live(chatcore, after=cursor) as back:
                heard = await back.until(created, first)
                assert "cursor" not in heard  # behind it something older may still appear
                position = (await back.until("hello"))["data"]["cursor"]
                second = start(http)
                await back.until(created, second)
        async with live(chatcore, after=position) as again:
            await again.until(created, first)
            await again.until(created, second)
