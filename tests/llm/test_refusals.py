"""What servers say when they refuse a request, and what is left out of the next one: for good, or this once."""

import json
from typing import Any

import pytest

from chatcore.llm.errors import ProviderError
from chatcore.llm.native_dialect import DISPENSABLE
from chatcore.llm.refusals import Lessons

UNKNOWN = [
    (
        {
            "error": {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "type": "invalid_request_error",
                "param": "max_tokens",
                "code": "unsupported_parameter",
            }
        },
        "max_tokens",
    ),
    ({"error": {"message": "No.", "param": "seed", "code": "unknown_parameter"}}, "seed"),
    (
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0.2 with this model. "
                "Only the default (1) value is supported.",
                "param": "temperature",
                "code": "unsupported_value",
            }
        },
        "temperature",
    ),
    ({"error": "Unrecognized request argument supplied: reasoning_effort"}, "reasoning_effort"),
    ({"error": {"message": "Unrecognized request arguments supplied: seed, verbosity"}}, "seed"),
    ({"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}, "stream_options"),
    (
        {
            "object": "error",
            "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), "
            "'msg': 'Extra inputs are not permitted', 'input': 800}]",
            "code": 400,
        },
        "max_completion_tokens",
    ),
    ({"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]}, "seed"),
    (
        {"error": {"message": "Extra inputs are not permitted, field: 'stream_options', value: {}"}},
        "stream_options",
    ),
    ("Validation error at #/stream_options: Extra inputs are not permitted", "stream_options"),
    (
        {"error": {"message": "property 'verbosity' is unsupported, did you mean 'stop'?"}},
        "verbosity",
    ),
    (
        {
            "message": "body.seed: property 'body.seed' is unsupported",
            "param": "validation_error",
            "code": "wrong_api_format",
        },
        "seed",
    ),
    (
        {"code": "invalid", "error": "Argument not supported on this model: presencePenalty"},
        "presence_penalty",
    ),
    ("Model grok-4 does not support parameter reasoningEffort.", "reasoning_effort"),
    ({"error": {"message": "invalid temperature: only 1 is allowed for this model"}}, "temperature"),
    ({"error": {"message": '"llama3.1:8b" does not support thinking'}}, "reasoning_effort"),
    ({"detail": "Validation: Unsupported parameter(s): `stream_options`"}, "stream_options"),
    (
        [{"error": {"message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'}}],
        "seed",
    ),
    ({"error": {"message": 'unknown field "seed"'}}, "seed"),
    ("json: unknown field `verbosity`", "verbosity"),
    ("unknown field `seed`, expected one of `model`, `temperature`", "seed"),
    ({"error": {"message": "`temperature` is deprecated for this model."}}, "temperature"),
    ({"error": {"message": "'stop' is not supported with this model."}}, "stop"),
    (
        {
            "error": {
                "message": "Provider returned error",
                "metadata": {
                    "raw": json.dumps(
                        {"error": {"message": "Unknown parameter: 'verbosity'.", "param": None}}
                    )
                },
            }
        },
        "verbosity",
    ),
    ('{"error":{"message":"Unknown parameter: \\u0027seed\\u0027."}}', "seed"),
]
THIS_ONCE = [
    (
        {
            "error": {
                "message": "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. "
                "Supported values are: 'low', 'medium', and 'high'.",
                "param": "reasoning_effort",
                "code": "unsupported_value",
            }
        },
        "reasoning_effort",
    ),
    (
        {
            "error": {
                "message": "Unsupported value: 'minimal' is not supported with the 'gpt-5.1' model.",
                "param": "reasoning_effort",
                "code": "unsupported_value",
            }
        },
        "reasoning_effort",
    ),
    (
        {"error": {"message": 'invalid reasoning value: \'minimal\' (must be "high", "low")'}},
        "reasoning_effort",
    ),
    (
        {
            "error": {
                "message": "Function tools with reasoning_effort are not supported for gpt-6 in "
                "/v1/chat/completions. Please use /v1/responses instead.",
                "param": "reasoning_effort",
                "code": None,
            }
        },
        "reasoning_effort",
    ),
    ({"error": {"message": "reasoning_effort is not supported when tools are given"}}, "reasoning_effort"),
    (
        {
            "error": {
                "message": "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5.",
                "param": "temperature",
                "code": "decimal_above_max_value",
            }
        },
        "temperature",
    ),
    (
        {"error": {"type": "invalid_request_error", "message": "temperature: range: -1 or 0..1"}},
        "temperature",
    ),
    (
        "ValidationException: Value '1.5' at 'inferenceConfig.temperature' failed to satisfy constraint: "
        "Member must have value less than or equal to 1",
        "temperature",
    ),
    (
        {"error": {"message": "`temperature` and `top_p` cannot both be specified for this model."}},
        "temperature",
    ),
    (
        {"error": {"message": "max_tokens is too large: 100000. At most 16384.", "param": "max_tokens"}},
        "max_tokens",
    ),
    (
        {"error": {"message": "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"}},
        "max_tokens",
    ),
    (
        {"error": {"message": "`max_completion_tokens` must be less than or equal to `8192`"}},
        "max_tokens",
    ),
    ({"detail": [{"type": "less_than_equal", "loc": ["body", "top_p"], "input": {"seed": 1}}]}, "top_p"),
    (
        {
            "error": {
                "message": "Invalid parameter: 'response_format' of type 'json_object' is not supported."
            }
        },
        "response_format",
    ),
    ({"error": {"message": "This response_format type is unavailable now"}}, "response_format"),
    ({"error": {"message": "This model does not support response format `json_schema`."}}, "response_format"),
]
NOT_TO_BE_SPARED = [
    (
        {
            "error": {
                "message": "Invalid schema for response_format 'answer': In context=('properties', 'seed'), "
                "'format' is not supported.",
                "param": "response_format",
                "code": None,
            }
        },
        "response_format",
    ),
    (
        {
            "error": {
                "message": "Invalid 'stop': array too long. Expected an array with maximum length 4.",
                "param": "stop",
                "code": "array_above_max_length",
            }
        },
        "stop",
    ),
    ({"error": {"message": "max_tokens must be at least 16"}}, "max_tokens"),
    ({"error": {"message": "'$.stop' is invalid. Please check the API reference."}}, "stop"),
    ({"error": {"message": "messages must not be empty", "param": "messages"}}, ""),
    ({"error": {"message": "property 'store' is unsupported, did you mean 'stop'?"}}, ""),
    ({"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 0, "user", "name"]}]}, ""),
    ({"error": {"message": "Invalid schema for 'seed'", "param": "tools[0].function.parameters"}}, ""),
    ({"error": "Please stop sending seed and temperature."}, ""),
    ({"error": "This user is not allowed to use the model."}, ""),
    ("", ""),
]


def refused(said: Any, code: str = "bad_request", limit: str = "max_tokens") -> tuple[str, set[str], str]:
    """What is left out when it is asked again, what from then on, and which parameter the error names."""
    lessons, error = Lessons(), ProviderError(code)
    text = said if isinstance(said, str) else json.dumps(said)
    sent = DISPENSABLE - ({"max_tokens", "max_completion_tokens"} - {limit})
    name = lessons.spared("m", sent, error, text)
    assert not lessons.unknown("another")
    return name, set(lessons.unknown("m")), error.parameter


@pytest.mark.parametrize(("said", "name"), UNKNOWN)
def test_a_field_that_is_not_known_is_left_out_from_then_on(said: Any, name: str) -> None:
    limit = name if name == "max_completion_tokens" else "max_tokens"
    assert refused(said, limit=limit) == (name, {name}, "")


@pytest.mark.parametrize(("said", "name"), THIS_ONCE)
def test_a_refused_value_is_left_out_this_once(said: Any, name: str) -> None:
    assert refused(said) == (name, set(), "")


@pytest.mark.parametrize(("said", "name"), NOT_TO_BE_SPARED)
def test_what_would_make_another_answer_is_an_error_that_names_it(said: Any, name: str) -> None:
    assert refused(said) == ("", set(), name)


def test_a_length_that_leaves_no_room_for_the_prompt_is_left_out_this_once() -> None:
    said = (
        "'max_tokens' or 'max_completion_tokens' is too large: 100000. This model's maximum context length is "
        "8192 tokens and your request has 20 input tokens (100000 > 8192 - 20)."
    )
    assert refused(said, "context_too_long") == ("max_tokens", set(), "")
    assert refused("prompt is too long: 9000 tokens > 8192 maximum", "context_too_long") == ("", set(), "")


def test_other_failures_teach_nothing() -> None:
    assert refused("unknown field `seed`", "unavailable") == ("", set(), "")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["\\", "did you mean ", "'", "loc': (", "unsupported parameter ", "\\u0027"]
)
def test_a_senseless_refusal_holds_nobody_up(piece: str) -> None:
    """Sixty thousand characters of one kind took a minute; a worker that stands still for five seconds is lost."""
    assert refused(piece * (64_000 // len(piece)))[1] == set()
