"""Counting tokens where nobody else did: an estimate, and always marked as one."""

import math
from collections.abc import Iterable

from chatcore.llm.contents import image_tokens
from chatcore.llm.types import Turn

BYTES_PER_TOKEN = 4
TOKENS_PER_TURN = 4  # what marks its beginning, its role and its end


def estimate(text: str) -> int:
    """A token for every four bytes of UTF-8: about right for English and for scripts of three bytes a letter."""
    return of_bytes(len(text.encode("utf-8", "replace")))


def of_bytes(count: int) -> int:
    return math.ceil(count / BYTES_PER_TOKEN)


def estimate_turns(texts: Iterable[str]) -> int:
    return sum(estimate(text) + TOKENS_PER_TURN for text in texts)


def of_turns(turns: Iterable[Turn]) -> int:
    """With their pictures, and the calls of tools in them."""
    return sum(map(of_turn, turns))


def of_turn(turn: Turn) -> int:
    calls = sum(estimate(call.name) + estimate(call.arguments) for call in turn.calls)
    return estimate(turn.text) + TOKENS_PER_TURN + calls + (image_tokens([turn]) if turn.images else 0)


def beginning(text: str, most: int) -> str:
    """As much of the text as is estimated at no more than so many tokens."""
    whole = text.encode("utf-8", "replace")
    size = max(most, 0) * BYTES_PER_TOKEN
    return text if len(whole) <= size else whole[:size].decode("utf-8", "ignore")
