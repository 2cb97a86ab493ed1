import json
from typing import Any

import pytest

from chatcore.llm.native_dialect import DISPENSABLE, refused_field


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (
            {"error": {"message": "Unsupported parameter: 'max_tokens' …", "param": "max_tokens"}},
            "max_tokens",
        ),
        (
            {"error": {"message": "Unsupported value: 'temperature' does not support 0.2 with this model."}},
            "temperature",
        ),
        ({"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}, "stream_options"),
        ({"message": "property 'logit_bias' is unsupported"}, "logit_bias"),
        ({"error": "Unrecognized request argument supplied: reasoning_effort"}, "reasoning_effort"),
        ({"error": {"message": 'unknown field "seed"'}}, "seed"),
        ("json: unknown field `verbosity`", "verbosity"),
        ({"error": "Please stop sending seed and temperature."}, ""),
        ({"error": {"message": "messages must not be empty", "param": "messages"}}, ""),
        ("", ""),
    ],
)
def test_the_refused_field_is_found_in_what_servers_say(said: Any, field: str) -> None:
    text = said if isinstance(said, str) else json.dumps(said)
    assert refused_field(text, set(DISPENSABLE)) == field


def test_of_several_the_first_is_taken() -> None:
    assert refused_field("'seed' and 'stop' are unknown", {"stop", "seed"}) == "seed"
