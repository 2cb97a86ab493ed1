"""What a fake upstream does when it is asked: an answer, and the way it goes wrong."""

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """`arguments` is sent in the given pieces."""

    id: str
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """One answer. `pieces` are text deltas; `usage` is (input, output, cached, reasoning) or None.

    `raw` replaces the whole body by bytes; `status` and `headers` go with it. `pause` is seconds before each
    piece; `hang_after`, `cut_after` and `error_after` are numbers of pieces, "at end" is after all of them.
    `write_size` splits the stream into writes of that many bytes. `whole` answers in one piece although a
    stream was asked for.
    """

    pieces: tuple[str, ...] = ("Hello", " from", " the upstream")
    reasoning: tuple[str, ...] = ()
    reasoning_field: str = "reasoning_content"
    tool_calls: tuple[ToolCall, ...] = ()
    usage: tuple[int, int, int, int] | None = (11, 3, 4, 2)
    finish: str | None = "stop"
    done: bool = True
    status: int = 200
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
    write_size: int = 0
    line_end: bytes = b"\n"
    whole: bool = False


def refusal(status: int, message: str = "no", *, kind: str = "", **headers: str) -> Plan:
    body = f'{{"error": {{"message": "{message}", "type": "{kind}", "code": null}}}}'
    return Plan(status=status, raw=body.encode(), headers={"Content-Type": "application/json", **headers})


NAMED = {
    "reasoning": Plan(reasoning=("Let me", " think.")),
    "hang": Plan(hang_before=True),
    "hang-after-2": Plan(hang_after=2),
    "cut-after-2": Plan(cut_after=2),
    "error-after-2": Plan(error_after=2),
    "garbage": Plan(raw=b"<html><body>Sign in</body></html>", headers={"Content-Type": "text/html"}),
    "empty": Plan(pieces=()),
    "whole": Plan(whole=True),
    "refuse-400": refusal(400, "that is no request", kind="invalid_request_error"),
    "refuse-401": refusal(401, "wrong key", kind="authentication_error"),
    "refuse-429": refusal(429, "slow down", kind="rate_limit_error", **{"Retry-After": "7"}),
    "refuse-500": refusal(500, "broken", kind="api_error"),
    "refuse-529": refusal(529, "overloaded", kind="overloaded_error"),
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


def named(model: str) -> Plan:
    """The plan a model's name stands for; `stream-200x10` is 200 pieces 10 ms apart; anything else is well.

    The pieces differ: LiteLLM takes a hundred equal ones for a model caught in a loop, and ends the answer.
    """
    match = STREAM.fullmatch(model)
    if match:
        count, milliseconds = int(match[1]), int(match[2])
        return Plan(pieces=tuple(f" word{number}" for number in range(count)), pause=milliseconds / 1000)
    return NAMED.get(model, Plan())
