"""What waits for one client: bounded for those who do not read, however much there is for those who do."""

import asyncio

from chatcore.realtime.frames import Frame
from chatcore.realtime.outgoing import BUFFER_BYTES, REMEMBERED, Outgoing


class Reader:
    """Takes everything, or nothing at all."""

    def __init__(self, reads: bool = True) -> None:
        self.read: list[str] = []
        self.was_cut = False
        self._taking = asyncio.Event()
        if reads:
            self._taking.set()
        self.outgoing = Outgoing(lambda frame: frame.text, self.write, self.cut)

    async def write(self, text: str) -> None:
        await self._taking.wait()
        self.read.append(text)

    async def cut(self) -> None:
        self.was_cut = True


def frame(number: int, size: int = 10) -> Frame:
    return Frame({"type": "test", "id": number, "data": {"text": "x" * size}})


async def test_more_than_the_buffer_holds_is_brought_to_one_that_reads() -> None:
    reader = Reader()
    for number in range(20):
        await reader.outgoing.put(frame(number, BUFFER_BYTES // 5))
    await reader.outgoing.drain()
    assert len(reader.read) == 20
    assert not reader.was_cut


async def test_one_frame_larger_than_the_buffer_is_no_reason_to_be_cut() -> None:
    reader = Reader()
    await reader.outgoing.put(frame(1))
    await reader.outgoing.put(frame(2, BUFFER_BYTES + 1))
    await reader.outgoing.put(frame(3))
    await reader.outgoing.drain()
    assert len(reader.read) == 3
    assert not reader.was_cut


async def test_one_that_does_not_read_is_cut() -> None:
    reader = Reader(reads=False)
    for number in range(20):
        reader.outgoing.receive(frame(number, BUFFER_BYTES // 5))
    await asyncio.sleep(0)
    assert reader.was_cut


async def test_what_was_read_from_the_log_meanwhile_is_not_brought_again_by_the_hub() -> None:
    reader = Reader()
    many = [frame(number) for number in range(2 * REMEMBERED)]
    reader.outgoing.hold()
    for item in many:
        reader.outgoing.receive(item)
    for item in many:
        reader.outgoing.send_now(item)
    reader.outgoing.release()
    await reader.outgoing.drain()
    assert len(reader.read) == len(many)


async def test_one_that_has_gone_is_written_to_no_more() -> None:
    async def gone(_: str) -> None:
        raise BrokenPipeError

    async def cut() -> None: ...

    outgoing = Outgoing(lambda frame: frame.text, gone, cut)
    outgoing.send_now(frame(1))
    await outgoing.drain()
    outgoing.send_now(frame(2))
    await outgoing.drain()
