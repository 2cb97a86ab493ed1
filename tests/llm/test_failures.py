import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chatcore.llm import failures
from chatcore.llm.errors import RETRYABLE, WORDS, ProviderError

OPENAI_STYLE = {"error": {"message": "what it said", "type": "some_error", "code": None}}


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (302, "not_found", False),
        (400, "bad_request", False),
        (401, "auth", False),
        (402, "auth", False),
        (403, "auth", False),
        (404, "not_found", False),
        (408, "timeout", True),
        (413, "context_too_long", False),
        (418, "bad_request", False),
        (429, "rate_limited", True),
        (500, "unavailable", True),
        (503, "overloaded", True),
        (504, "timeout", True),
        (529, "overloaded", True),
        (599, "unavailable", True),
    ],
)
def test_a_status_has_its_code(status: int, code: str, retryable: bool) -> None:
    error = failures.of_answer(status, json.dumps(OPENAI_STYLE).encode(), {})
    assert (error.code, error.retryable, error.upstream_status) == (code, retryable, status)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": {"code": "context_length_exceeded", "message": "long"}}, "context_too_long"),
        (
            400,
            {"error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
            "context_too_long",
        ),
        (
            400,
            {"error": {"code": "content_filter", "message": "The response was filtered"}},
            "content_filter",
        ),
        (
            400,
            {"error": {"message": "x", "innererror": {"code": "content_policy_violation"}}},
            "content_filter",
        ),
        (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your quota"}}, "auth"),
        (400, {"error": {"code": "model_not_found", "message": "x"}}, "not_found"),
        (422, {"detail": [{"loc": ["body", "user"], "msg": "extra fields not permitted"}]}, "bad_request"),
        (
            500,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            "overloaded",
        ),
    ],
)
def test_what_the_body_says_decides_over_the_status(status: int, body: Any, code: str) -> None:
    assert failures.of_answer(status, json.dumps(body).encode(), {}).code == code


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (json.dumps(OPENAI_STYLE), "what it said"),
        ('[{"error": {"message": "what it said"}}]', "what it said"),
        ('{"detail": "what it said"}', "what it said"),
        ('{"message": "what it said"}', "what it said"),
        ('{"error": "what it said"}', "what it said"),
        ("what it said", "what it said"),
        ("", "500"),
        ("\udcff", "500"),
    ],
)
def test_the_detail_is_what_the_provider_said(body: str, said: str) -> None:
    assert said in failures.of_answer(500, body.encode("utf-8", "surrogateescape"), {}).detail


def test_a_detail_is_never_endless() -> None:
    assert len(failures.of_answer(500, b"x" * 100_000, {}).detail) <= 500


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    assert failures.retry_after(headers, now) == seconds


@pytest.mark.parametrize("code", sorted(WORDS))
def test_every_code_tells_the_person_what_to_do(code: str) -> None:
    error = ProviderError(code, "secret detail")
    assert error.words.count(". ") >= 1
    assert "secret detail" not in error.words
    assert error.retryable == (code in RETRYABLE)


def test_a_secret_is_cut_out_of_what_is_said() -> None:
    error = ProviderError("auth", "the key sk-12345 is wrong", retry_after=3, upstream_status=401)
    cleaned = error.without("sk-12345")
    assert "sk-12345" not in str(cleaned)
    assert (cleaned.code, cleaned.retry_after, cleaned.upstream_status) == ("auth", 3, 401)


def test_an_unknown_code_becomes_one_that_is_known() -> None:
    assert ProviderError("new_kind_of_trouble").code == "unavailable"
