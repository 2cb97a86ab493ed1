"""What the client does, free of any input or output: a flow is a generator that yields steps and is sent what came of
them. Two players, one blocking and one asynchronous, play the same flows.

A step that needs the network is answered by TransportFailed, thrown into the flow, if it fails.
"""

import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from chatcore_client.errors import NotConnected, TransportFailed, UnexpectedAnswer, refusal
from chatcore_client.retry import Retry

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """`timeout` and `silence` are seconds: for an answer, and without a byte in a stream until it counts as cut."""

    retry: Retry = field(default_factory=Retry)
    timeout: float = 30.0
    silence: float = 45.0


class Step:
    """What a flow asks of its player."""


@dataclass(frozen=True)
class Request(Step):
    """Answered by the whole Answer. `patience` is how many seconds the server may take besides the usual.

    `repeatable`: to send it twice does no more than to send it once.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float = 0.0
    repeatable: bool = True


@dataclass(frozen=True)
class Open(Step):
    """Answered by an Answer as soon as its head is there: without a body, unless it is a refusal."""

    request: Request


class Read(Step):
    """More bytes of what was opened; none at its end."""


class Shut(Step):
    """Close what was opened, if anything is."""


@dataclass(frozen=True)
class Sleep(Step):
    seconds: float


@dataclass(frozen=True)
class Tell(Step):
    """Call a function of the user, which may be a coroutine function where the client is asynchronous."""

    function: Callable[[Any], Any]
    argument: Any


@dataclass(frozen=True)
class Emit(Generic[T]):
    """One item for whoever iterates."""

    item: T


@dataclass(frozen=True)
class Answer:
    """`headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise UnexpectedAnswer(
                "The answer is not JSON. Is the address right?", status=self.status
            ) from None


Flow: TypeAlias = Generator[Step, Any, T]
Listing: TypeAlias = Generator[Step | Emit[T], Any, None]

RETRIED = (429, 502, 503, 504)


def send(settings: Settings, request: Request) -> Flow[Answer]:
    """Until it is answered, or it is hopeless to try again; a refusal is raised.

    A request that is not repeatable is sent again only if the server cannot have carried it out.
    """
    failures = 0
    while True:
        try:
            answer: Answer = yield request
        except TransportFailed as error:
            failures += 1
            if not (request.repeatable or isinstance(error, NotConnected)):
                raise
            yield from pause(settings, failures, error)
            continue
        if answer.status in RETRIED and (request.repeatable or answer.status == 429):
            failures += 1
            yield from pause(settings, failures, refusal(answer.status, answer.headers, answer.body))
            continue
        if failures and request.method == "DELETE" and answer.status == 404:
            return answer  # an earlier try was carried out, though its answer was lost
        return checked(answer)


def pause(
    settings: Settings,
    failures: int,
    error: Exception,
    *,
    times: float | None = None,
    base: float | None = None,
) -> Flow[None]:
    """Wait before the next try; raise the error if that was the last."""
    retry_after = getattr(error, "retry_after", None)
    seconds = settings.retry.pause(failures, retry_after, base)
    if seconds is None or failures > (settings.retry.times if times is None else times):
        raise error
    yield Sleep(seconds)


def checked(answer: Answer) -> Answer:
    """Raises what the answer refuses with."""
    if 200 <= answer.status < 300:
        return answer
    raise refusal(answer.status, answer.headers, answer.body)


def path(*parts: str) -> str:
    """An address of the API; each part is quoted, so that an id leads nowhere else."""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)


def now() -> float:
    return time.monotonic()
