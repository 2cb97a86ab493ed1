"""The tokens that a chat completion's usage counts."""

import pytest

from chatcore.llm.chat_chunks import read_usage
from chatcore.llm.types import Usage


@pytest.mark.parametrize(("total", "written"), [(135, 103), (41, 9), (None, 9)])
def test_reasoning_that_is_counted_beside_the_answer_is_part_of_what_was_written(
    total: int | None, written: int
) -> None:
    usage = {
        "prompt_tokens": 32,
        "completion_tokens": 9,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 94},
    }
    assert read_usage({"usage": usage}) == Usage(32, written, reasoning_tokens=94)
