"""Who comes while others are served is served with the next ones, and hears of its own item only."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import OperationalError

from chatcore.errors import ChatcoreError, NotFound
from chatcore.together import Together, or_alone

pytestmark = pytest.mark.django_db  # its threads give back the connections that earlier tests left in them

EXECUTOR_SECONDS = 20


class Bench:
    """Work that waits until it is let go on, and remembers what it did at once."""

    def __init__(self) -> None:
        self.together: Together[str, str] = Together()
        self.rounds: list[list[str]] = []
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._gate = threading.Event()

    def ask(self, item: str, key: str = "key") -> "asyncio.Task[str]":
        return asyncio.create_task(self.together(self._work, item, key))

    def open(self) -> None:
        self._gate.set()

    def _work(self, items: Sequence[str]) -> list[str | ChatcoreError]:
        self.rounds.append(list(items))
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self._gate.wait(EXECUTOR_SECONDS)
        if "defect" in items:
            raise ValueError("defect")
        return [NotFound() if item == "bad" else item.upper() for item in items]


async def test_those_who_come_meanwhile_are_served_at_once_by_the_next_round() -> None:
    bench = Bench()
    first = bench.ask("a")
    await bench.begun.wait()
    later = [bench.ask(item) for item in ("b", "bad", "c")]
    await asyncio.sleep(0)
    bench.open()
    found: list[Any] = await asyncio.gather(first, *later, return_exceptions=True)
    assert bench.rounds == [["a"], ["b", "bad", "c"]]
    assert (found[0], found[1], found[3]) == ("A", "B", "C")
    assert isinstance(found[2], NotFound)


async def test_a_crowd_that_takes_some_turns_of_the_loop_to_come_is_one_round() -> None:
    bench = Bench()
    bench.open()

    async def come(turns: int) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await bench.together(bench._work, str(turns), "key")

    await asyncio.gather(*(come(turns) for turns in range(10)))
    assert bench.rounds == [[str(turns) for turns in range(10)]]


async def test_those_of_another_key_are_never_served_together() -> None:
    bench = Bench()
    bench.open()
    assert await asyncio.gather(bench.ask("a", "one"), bench.ask("b", "two")) == ["A", "B"]
    assert sorted(bench.rounds) == [["a"], ["b"]]


async def test_a_defect_is_heard_by_all_of_its_round_and_by_nobody_else() -> None:
    bench = Bench()
    first = bench.ask("a")
    await bench.begun.wait()
    second = [bench.ask("defect"), bench.ask("b")]
    await asyncio.sleep(0)
    bench.open()
    assert await first == "A"
    for failed in await asyncio.gather(*second, return_exceptions=True):
        assert isinstance(failed, ValueError)
    assert await bench.ask("c") == "C", "nobody waits for a round that has ended"


async def test_who_goes_away_takes_nobody_along() -> None:
    bench = Bench()
    working = bench.ask("a")
    await bench.begun.wait()
    leaving, staying = bench.ask("b"), bench.ask("c")
    await asyncio.sleep(0)
    working.cancel()
    leaving.cancel()
    await asyncio.gather(working, leaving, return_exceptions=True)
    bench.open()
    assert await staying == "C"


async def test_who_has_gone_away_before_its_turn_is_not_served() -> None:
    bench = Bench()
    first = bench.ask("a")
    await bench.begun.wait()
    leaving, staying = bench.ask("b"), bench.ask("c")
    await asyncio.sleep(0)
    leaving.cancel()
    bench.open()
    assert await first == "A"
    assert await asyncio.wait_for(staying, EXECUTOR_SECONDS) == "C"
    assert leaving.cancelled()
    assert bench.rounds == [["a"], ["c"]]


async def test_those_who_come_at_the_same_moment_are_served_at_once() -> None:
    bench = Bench()
    bench.open()
    assert await asyncio.gather(*(bench.ask(item) for item in "abc")) == ["A", "B", "C"]
    assert bench.rounds == [["a", "b", "c"]]


async def test_what_comes_of_an_item_may_be_nothing() -> None:
    together: Together[str, None] = Together()
    asked = [together(lambda items: [None] * len(items), item, "key") for item in "abc"]
    assert await asyncio.gather(*asked) == [None, None, None]


def shouted(items: Sequence[str]) -> list[str | Exception]:
    if "defect" in items:
        raise ValueError("defect")
    if "lost" in items:
        raise OperationalError("lost")
    return [NotFound() if item == "bad" else item.upper() for item in items]


def test_what_one_brings_takes_no_other_along() -> None:
    first, defect, bad, last = or_alone(shouted)(["a", "defect", "bad", "b"])
    assert (first, last) == ("A", "B")
    assert isinstance(defect, ValueError)
    assert isinstance(bad, NotFound)


@pytest.mark.parametrize(("items", "error"), [(["a", "lost"], OperationalError), (["defect"], ValueError)])
def test_a_lost_database_and_the_fault_of_the_only_one_fail_for_all(
    items: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        or_alone(shouted)(items)


async def test_nobody_is_remembered_once_all_are_served() -> None:
    bench = Bench()
    bench.open()
    with pytest.raises(NotFound):
        await bench.ask("bad")
    assert bench.together._waiting == {}
