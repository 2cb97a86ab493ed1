"""How the pieces of a running reply are put together, and how watchers come and go."""

import asyncio
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.realtime.frames import Frame
from chatcore.realtime.hub import hub
from conversations.assembly import Assembly
from conversations.following import follow_conversation, unfollow_conversation

TEXT = "The quick brown fox jumps over the lazy dog. "


@given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, len(TEXT))), max_size=20), st.randoms())
def test_overlapping_pieces_in_any_order_come_out_once_and_whole(
    cuts: list[tuple[int, int]], random: object
) -> None:
    pieces = [(min(cut), TEXT[min(cut) : max(cut)]) for cut in cuts] + [(0, TEXT[:10]), (10, TEXT[10:])]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    grown: list[tuple[int, str]] = []
    assembly = Assembly(1, lambda offset, text: grown.append((offset, text)))

    for offset, text in pieces:
        assembly.add(offset, text)

    assert assembly.text == TEXT
    assert not assembly.has_hole
    assert "".join(text for _, text in grown) == TEXT
    assert [offset for offset, _ in grown] == [
        sum(len(text) for _, text in grown[:n]) for n in range(len(grown))
    ]


def test_a_piece_behind_a_hole_waits_for_the_saved_text() -> None:
    grown: list[str] = []
    assembly = Assembly(1, lambda _, text: grown.append(text))
    assembly.add(4, "quick")
    assert assembly.has_hole
    assert not grown
    assembly.add(0, "The q")
    assert grown == ["The q", "uick"]
    assert not assembly.has_hole


class Ears:
    def receive(self, frame: Frame) -> None:
        pass


def followed(conversation: uuid.UUID) -> list[str]:
    return [group for group in hub.groups if str(conversation) in group]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", range(6))
async def test_whoever_leaves_while_joining_takes_nobody_with_it_and_leaves_nothing(moment: int) -> None:
    conversation, first, second = uuid.uuid4(), Ears(), Ears()
    joining = asyncio.create_task(follow_conversation(conversation, first, "text"))
    staying = asyncio.create_task(follow_conversation(conversation, second, "text"))
    for _ in range(moment):
        await asyncio.sleep(0)
    joining.cancel()
    await asyncio.wait([joining])
    await staying
    assert followed(conversation) == [f"conversation.{conversation}", f"local.text.{conversation}"]
    unfollow_conversation(conversation, first, "text")
    unfollow_conversation(conversation, second, "text")
    assert followed(conversation) == []
    await hub.stop()
