"""Cursors that lose nothing, and those that are refused."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from django.core import signing
from django.db import connection, transaction

from chatcore.errors import Gone, Malformed
from chatcore.ids import uuid7
from chatcore.realtime import cursors
from chatcore.realtime.catalogue import EventBody
from chatcore.realtime.cursors import Cursor
from chatcore.realtime.feeds import Feed
from chatcore.realtime.log import Announcement, announce, followable, positions_after, read_page
from chatcore.realtime.models import Event
from chatcore.realtime.tasks import trim_batch

WORKSPACE, READER = uuid7(), uuid7()


class Happened(EventBody, type="test.happened"):
    number: int


def tell(number: int, audience: tuple[UUID, ...] = (READER,)) -> Event:
    body = Happened(number=number)
    (event,) = announce(
        Announcement(body=body, workspace=WORKSPACE, conversation=None, actor="system", audience=audience)
    )
    return event


def numbers_after(position: Cursor, feed: Feed) -> list[int]:
    return [body["data"]["number"] for body, _ in read_page(position, feed, 100).frames]


def settle() -> None:
    """Until the horizon is past all that was written: an open writer of any database of the cluster holds it."""
    newest = Event.objects.order_by("xid").values_list("xid", flat=True).last() or 0
    deadline = time.monotonic() + 120
    while cursors.now().xid <= newest:
        assert time.monotonic() < deadline, "something holds the horizon"
        time.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_writers_that_commit_out_of_order_lose_no_event_for_a_reader() -> None:
    writers, each = 6, 25
    start = cursors.now()
    barrier = Barrier(writers + 1)

    def write(writer: int) -> None:
        barrier.wait()
        for number in range(each):
            with transaction.atomic():
                tell(writer * 1000 + number)
                with connection.cursor() as sql:
                    sql.execute("select pg_sleep(random() * 0.01)")
                if number % 7 == 3:
                    transaction.set_rollback(True)
        connection.close()

    seen: list[int] = []
    with ThreadPoolExecutor(writers) as threads:
        running = [threads.submit(write, writer) for writer in range(writers)]
        barrier.wait()
        position = start
        while not all(one.done() for one in running):
            positions, position = positions_after(position, 40)
            seen += [item.id for item in positions]
        [one.result() for one in running]
    settle()
    positions, _ = positions_after(position, 1_000)
    seen += [item.id for item in positions]

    stored = list(Event.objects.order_by("xid", "id").values_list("id", flat=True))
    assert seen == stored
    assert len(stored) == writers * (each - 4)


@pytest.mark.django_db(transaction=True)
def test_a_reader_gets_what_is_meant_for_it_after_its_cursor() -> None:
    tell(1)
    settle()
    position = cursors.now()
    tell(2)
    tell(3, audience=(uuid7(),))
    settle()
    assert numbers_after(position, Feed(WORKSPACE, READER)) == [2]
    assert numbers_after(position, Feed(uuid7(), READER)) == []


@pytest.mark.django_db(transaction=True)
def test_one_that_is_too_far_behind_reads_the_state_again(monkeypatch: pytest.MonkeyPatch) -> None:
    position = cursors.now()
    for number in range(4):
        tell(number)
    settle()
    monkeypatch.setattr("chatcore.realtime.log.REPLAY_LIMIT", 3)
    with pytest.raises(Gone):
        followable(cursors.encode(position), Feed(WORKSPACE, READER))


@pytest.mark.django_db
def test_a_cursor_comes_back_as_it_was_given() -> None:
    assert cursors.decode(cursors.encode(Cursor(12345, 678))) == Cursor(12345, 678)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "x", "a-b-c-d.forged", "é" * 40, "1" * 10_000])
def test_a_forged_cursor_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        cursors.decode(text)


@pytest.mark.django_db
def test_a_cursor_of_another_cluster_or_an_old_one_is_gone() -> None:
    def signed(cluster: str, age: int) -> str:
        return signing.Signer(salt="chatcore.cursor", sep=".").sign(
            f"{cluster}-1-1-{int(time.time()) - age:x}"
        )

    with pytest.raises(Gone):
        cursors.decode(signed("abc", 0))
    with pytest.raises(Gone):
        cursors.decode(signed(cursors.cluster(), cursors.KEPT_SECONDS + 10))
    assert cursors.decode(signed(cursors.cluster(), 10)) == Cursor(1, 1)


@pytest.mark.django_db
def test_only_events_nobody_can_follow_from_any_more_are_trimmed() -> None:
    tell(1)
    Event.objects.update(created_at="2020-01-01T00:00:00Z")
    kept = tell(2)
    assert trim_batch() == 1
    assert list(Event.objects.all()) == [kept]


@pytest.mark.django_db(transaction=True)
def test_a_cursor_is_as_old_as_what_stands_there_however_late_it_was_read() -> None:
    """Else one that reads a week's events in two visits would miss, in silence, what was trimmed between them."""
    start = cursors.now()
    old = datetime.now(UTC) - timedelta(days=6, hours=23)
    for number in range(3):
        Event.objects.filter(id=tell(number).id).update(created_at=old)
    settle()
    page = read_page(start, Feed(WORKSPACE, READER), 2)
    with time_machine(days=1), pytest.raises(Gone):
        cursors.decode(page.cursor)
    with time_machine(days=1):
        cursors.decode(read_page(page.end, Feed(WORKSPACE, READER), 2).cursor)


@contextmanager
def time_machine(days: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        later = time.time() + days * 86_400
        patched.setattr(time, "time", lambda: later)
        yield
