"""What a fake upstream does when it is asked: an answer, and the way it goes wrong."""

import re
import time
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """`arguments` is sent in the given pieces."""

    id: str
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """One answer. `pieces` are text deltas; `usage` is (input, output, cached, reasoning) or None;
    `cache_writes` of the input were put into a cache.

    A `status` other than 200 refuses: with `said` and `kind` in the protocol's own error object. `raw` replaces
    the whole body by bytes. `pause` is seconds before each piece; `hang_after`, `cut_after` and `error_after` are
    numbers of pieces, "at end" is after all of them, "inside" in the middle of the last one. `write_size` splits
    the stream into writes of that many bytes, `drip` seconds apart. `whole` answers in one piece although a
    stream was asked for; `refused_fields` are names in the body that it refuses with 400;
    `refused_values` are (name, value, body of the 400), for one in the body that has this value. As a list of models,
    `pieces` are their names and `facts` what is said of each besides.
    """

    pieces: tuple[str, ...] = ("Hello", " from", " the upstream")
    reasoning: tuple[str, ...] = ()
    reasoning_field: str = "reasoning_content"
    tool_calls: tuple[ToolCall, ...] = ()
    usage: tuple[int, int, int, int] | None = (11, 3, 4, 2)
    cache_writes: int = 0
    finish: str | None = "stop"
    done: bool = True
    status: int = 200
    said: str = "no"
    kind: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    pause: float = 0.0
    hang_before: bool = False
    hang_after: int | None = None
    cut_after: int | None = None
    cut_inside: bool = False
    cut_at_end: bool = False
    hang_at_end: bool = False
    error_after: int | None = None
    error: Any = field(default_factory=lambda: {"message": "the server had an error", "type": "server_error"})
    wrong_types: bool = False
    write_size: int = 0
    drip: float = 0.0
    line_end: bytes = b"\n"
    whole: bool = False
    refused_fields: tuple[str, ...] = ()
    refused_values: tuple[tuple[str, Any, Any], ...] = ()
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)


def refusal(status: int, message: str = "no", *, kind: str = "", **headers: str) -> Plan:
    return Plan(status=status, said=message, kind=kind, headers=headers)


# What each protocol says of a prompt that is too long.
TOO_LONG = {
    "openai": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "anthropic": "prompt is too long: 215000 tokens > 200000 maximum",
    "gemini": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "cohere": "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs.",
    "bedrock": "Input is too long for requested model.",
}
NAMED = {
    "reasoning": Plan(reasoning=("Let me", " think.")),
    "hang": Plan(hang_before=True),
    "hang-after-2": Plan(hang_after=2),
    "cut-after-2": Plan(cut_after=2),
    "cut-inside": Plan(cut_inside=True),
    "error-after-2": Plan(error_after=2),
    "drip": Plan(write_size=5, drip=0.002),
    "garbage": Plan(raw=b"<html><body>Sign in</body></html>", headers={"Content-Type": "text/html"}),
    "noise": Plan(raw=bytes(range(256)) * 8),
    "wrong-types": Plan(wrong_types=True),
    "no-usage": Plan(usage=None),
    "empty": Plan(pieces=()),
    "filtered": Plan(pieces=(), finish="content_filter"),
    "whole": Plan(whole=True),
    "too-long": Plan(status=400, kind="too_long"),
    "tools": Plan(
        pieces=(),
        finish="tool_calls",
        tool_calls=(
            ToolCall("call_1", "weather", ('{"city"', ': "Wi', 'en"}')),
            ToolCall("call_2", "clock", ('{"zone": ', '"UTC"}')),
        ),
    ),
}
STREAM = re.compile(r"stream-(\d+)x(\d+)")
REFUSE = re.compile(r"refuse-(\d{3})(-date)?")
WAIT_SECONDS = 7
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def named(model: str) -> Plan:
    """The plan a model's name stands for; anything unheard of answers well.

    `stream-200x10` is 200 pieces 10 ms apart. They differ: LiteLLM takes a hundred equal ones for a model caught in
    a loop, and ends the answer. `refuse-429` refuses with that status, and says to wait where waiting helps: seven
    seconds, or with `refuse-429-date` until the moment that is seven seconds from now.
    """
    if match := STREAM.fullmatch(model):
        return _stream(int(match[1]), int(match[2]))
    if match := REFUSE.fullmatch(model):
        status = int(match[1])
        plan = refusal(status, f"refused with {status}", kind=KINDS.get(status, "api_error"))
        if status not in {429, 503, 529}:
            return plan
        wait = formatdate(time.time() + WAIT_SECONDS, usegmt=True) if match[2] else str(WAIT_SECONDS)
        return replace(plan, headers={"Retry-After": wait})
    return NAMED.get(model, Plan())


@lru_cache
def _stream(count: int, milliseconds: int) -> Plan:
    return Plan(pieces=tuple(f" word{number}" for number in range(count)), pause=milliseconds / 1000)
