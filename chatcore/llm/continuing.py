"""An answer that broke off is asked for again from where it ended."""

from collections.abc import Sequence

from chatcore.llm.types import Turn

# A wish in words: not every model goes on from an assistant's turn that stands last, and some refuse one.
CONTINUE = (
    "Your answer above broke off. Go on exactly where it ends, in the middle of a word if need be: repeat nothing, "
    "say nothing about the interruption."
)


def continuing(begun: str) -> tuple[Turn, ...]:
    """The turns that end a request for the rest of `begun`; none where nothing was begun."""
    return (Turn("assistant", begun), Turn("user", CONTINUE)) if begun else ()


def begun_in(turns: Sequence[Turn]) -> str:
    """What such a request wants to be continued; empty in every other one."""
    wanted = len(turns) > 1 and turns[-1].text == CONTINUE and turns[-2].role == "assistant"
    return turns[-2].text if wanted else ""
