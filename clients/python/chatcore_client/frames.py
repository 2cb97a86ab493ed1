"""Streams of frames: opening one, reading what an event of it says, and telling what another connection may cure."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chatcore_client.errors import ChatcoreError, UnexpectedAnswer, from_problem
from chatcore_client.flow import RETRIED, Answer, Flow, Open, Request, checked
from chatcore_client.sse import ServerSentEvent

STREAM = "text/event-stream"


def open_stream(request: Request) -> Flow[None]:
    """Raises what the server refuses with."""
    answer: Answer = yield Open(replace(request, headers={**request.headers, "Accept": STREAM}))
    checked(answer)
    if not answer.headers.get("content-type", "").startswith(STREAM):
        raise UnexpectedAnswer("A stream was asked for; the server sent something else.")


def frame_of(event: ServerSentEvent) -> Mapping[str, Any]:
    """Raises what an `error` event tells of."""
    try:
        frame = json.loads(event.data)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        raise UnexpectedAnswer("The stream brings something other than frames.")
    if event.type == "error":
        problem = frame["data"] if isinstance(frame.get("data"), dict) else frame
        status = problem.get("status")
        raise from_problem(problem, status if isinstance(status, int) else 500)
    return frame


def curable(error: ChatcoreError) -> ChatcoreError:
    """The error, if another connection may do better; else it is raised."""
    if error.retryable or error.status in RETRIED:
        return error
    raise error
