"""Which deployment answers: in order, each at most once, silently on to the next until the first word is out.

What is said of a deployment stands in breakers.py, its limits in places.py and line.py, the order in candidates.py.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeAlias, TypeVar

from django.conf import settings
from django.db import Error as DatabaseError

from chatcore.llm import breakers, candidates, instances, latencies, line
from chatcore.llm.admission import Admission, admit, admit_early, estimated_tokens
from chatcore.llm.breakers import ASKERS_OWN
from chatcore.llm.candidates import Candidate
from chatcore.llm.contents import told
from chatcore.llm.errors import ProviderError
from chatcore.llm.line import OnWait
from chatcore.llm.streaming import configured_timeouts, guarded
from chatcore.llm.types import Finished, ModelEvent, ModelRequest, Usage
from chatcore.offload import offload

logger = logging.getLogger(__name__)

ANSWERED = "answered"
NOT_ASKED = frozenset({"busy", "circuit_open"})
FRESH_SECONDS = 1.0
P = ParamSpec("P")
T = TypeVar("T")

OnAttempt: TypeAlias = Callable[["Attempt"], None]
OnRestart: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One deployment considered. `outcome` is "answered" or the code of its ProviderError.

    Those of NOT_ASKED were passed over: every place was taken, or the breaker was open. One that broke off in
    mid-answer has two: "answered", and then its failure. `seconds` is the time to the first token, or to the failure.
    `detail` is for staff.
    """

    deployment: str
    provider: str
    model: str
    outcome: str
    seconds: float
    detail: str = ""
    deployment_id: str = ""
    model_id: str = ""


async def answer(
    model_id: uuid.UUID,
    request: ModelRequest,
    *,
    on_attempt: OnAttempt | None = None,
    on_wait: OnWait | None = None,
    on_restart: OnRestart | None = None,
    on_ask: Callable[[], None] = lambda: None,
) -> AsyncGenerator[ModelEvent, None]:
    """The model's answer, ended by Finished. `request.model` and the default parameters are filled in here.

    `on_attempt` hears of every deployment that was considered: of a failed one at once, of the one that answers with
    its first token. `on_wait` hears the position in line (1 is next) some times a second, and 0 when the wait is over.
    `on_restart` is awaited before the first event of another deployment when one broke off in mid-answer: what it
    said is void. That happens once; without `on_restart`, never. `on_ask` hears that one is asked now.

    Raises ProviderError: the last one where nobody answered; with `started` set where the answering one failed later
    and nobody could begin anew. Close this generator (`contextlib.aclosing`) to stop early.
    """
    route = Route(model_id, request, on_attempt, on_wait, on_restart)
    async with aclosing(route.admissions()) as admissions:
        async for admission in admissions:
            on_ask()
            async with aclosing(route.asked(admission)) as events:
                async for event in events:
                    yield event
            if route.failure is None:
                return
    assert route.failure
    raise route.failure


class Route:
    """One request on its way through the deployments. `failure` is the last one; None after a whole answer."""

    def __init__(
        self,
        model_id: uuid.UUID,
        request: ModelRequest,
        on_attempt: OnAttempt | None,
        on_wait: OnWait | None,
        on_restart: OnRestart | None,
    ) -> None:
        self.failure: ProviderError | None = None
        self._model_id = model_id
        self._request = request
        self._on_attempt = on_attempt or _ignore
        self._on_wait = on_wait or _ignore
        self._on_restart = on_restart
        self._tokens = estimated_tokens(request)
        self._tried: set[uuid.UUID] = set()
        self._told: set[uuid.UUID] = set()
        self._seconds_left = configured_timeouts().total
        self._interrupted: ProviderError | None = None

    async def admissions(self) -> AsyncGenerator[Admission, None]:
        """Who may be asked next, for as long as one is asked for. Whoever is taken over must be given to `asked`."""
        while True:
            full: list[Candidate] = []
            shut: list[Candidate] = []
            read_at = time.monotonic()
            for candidate in await candidates.found(self._model_id):
                if candidate.deployment_id in self._tried:
                    continue
                entered = await self._enter(candidate, is_fresh=time.monotonic() - read_at < FRESH_SECONDS)
                if isinstance(entered, Admission):
                    yield entered
                    continue
                (full if entered == "busy" else shut).append(candidate)
                self._pass_over(candidate, entered)
            if not full:
                break
            admission = await self._wait(full)
            if admission:
                yield admission
        if shut and self._request.purpose == "reply" and (admission := await self._early_probe(shut)):
            yield admission
        if self.failure is None:
            self.failure = _nobody(shut)

    async def asked(self, admission: Admission) -> AsyncGenerator[ModelEvent, None]:
        """The candidate's events. A failure ends them and stands in `failure`, unless nobody else may go on."""
        candidate, began = admission.candidate, time.monotonic()
        self._tried.add(candidate.deployment_id)
        started, tokens = False, None
        if admission.call:
            line.shared().hold(admission.call)
        try:
            async with aclosing(self._events(candidate)) as events:
                async for event in events:
                    if not started:
                        started = True
                        await self._first_token(admission, time.monotonic() - began)
                    if isinstance(event, Usage):
                        tokens = _counted(event)
                    elif isinstance(event, Finished) and candidate.has_failed:
                        await _told(breakers.note_success, candidate.deployment_id)
                    yield event
            self.failure = None
        except ProviderError as error:
            await self._failed(admission, error, time.monotonic() - began, started=started)
        finally:
            self._seconds_left -= time.monotonic() - began
            if admission.call:
                line.shared().leave(admission.call, tokens)
            if admission.probe and not started:
                line.shared().give_back_probe(candidate.deployment_id, admission.probe)

    async def _enter(self, candidate: Candidate, *, is_fresh: bool) -> Admission | str:
        """The right to ask it, or why not: `circuit_open`, `busy`."""
        if is_fresh and not candidate.is_shut and not candidate.is_counted:
            return Admission(candidate)
        return await _taken(offload(admit, candidate, self._tokens), _give_back)

    async def _wait(self, full: list[Candidate]) -> Admission | None:
        """In line for whichever of them has a place first. A title is not worth a wait."""
        if self._request.purpose != "reply":
            raise ProviderError("busy", "every place is taken")
        wanted = {candidate.deployment_id: candidate for candidate in full}
        place = await line.shared().turn(list(wanted), self._tokens, self._on_wait)
        return Admission(wanted[place.deployment_id], call=place.call) if place else None

    async def _early_probe(self, shut: list[Candidate]) -> Admission | None:
        """Nobody else is left: before its time, one request may look whether the first to come back is back."""
        candidate = min(shut, key=lambda each: each.open_for)
        return await _taken(offload(admit_early, candidate), _give_back)

    async def _events(self, candidate: Candidate) -> AsyncGenerator[ModelEvent, None]:
        if candidate.settings is None:
            raise ProviderError("auth", "the provider's credential cannot be decrypted")
        if self._seconds_left <= 0:
            raise ProviderError("timeout", f"not finished within {settings.MODEL_TOTAL_TIMEOUT:g} s")
        asked = candidate.request(self._request)
        timeouts = replace(configured_timeouts(), total=self._seconds_left)
        async with (
            instances.borrowed(
                candidate.provider_id, candidate.provider_version, candidate.settings
            ) as provider,
            aclosing(guarded(provider.stream(asked), timeouts)) as events,
        ):
            async for event in events:
                yield told(event, asked)

    async def _first_token(self, admission: Admission, seconds: float) -> None:
        candidate = admission.candidate
        if admission.probe:
            await _told(breakers.note_first_token, candidate.deployment_id, admission.probe)
        if latencies.is_due(candidate):
            line.shared().run_errand(offload(latencies.note, candidate.deployment_id, seconds))
        if self._interrupted:
            assert self._on_restart
            await self._on_restart()
        self._note(candidate, ANSWERED, seconds)

    async def _failed(
        self, admission: Admission, error: ProviderError, seconds: float, *, started: bool
    ) -> None:
        """Note it, and raise where nobody else may go on."""
        candidate = admission.candidate
        if error.code not in ASKERS_OWN:
            await _told(
                breakers.note_failure, candidate.deployment_id, error, None if started else admission.probe
            )
        elif admission.probe and not started:  # it answers, if only to refuse this request
            await _told(breakers.note_first_token, candidate.deployment_id, admission.probe)
        self._note(candidate, error.code, seconds, error.detail)
        error.started = started or self._interrupted is not None
        if started:
            if self._interrupted or not error.retryable or self._on_restart is None:
                raise error
            self._interrupted = error
        # What is kept of an interrupted answer is told with the reason why it broke off.
        self.failure = self._interrupted or error

    def _pass_over(self, candidate: Candidate, outcome: str) -> None:
        if candidate.deployment_id not in self._told:
            self._told.add(candidate.deployment_id)
            self._note(candidate, outcome, 0.0)

    def _note(self, candidate: Candidate, outcome: str, seconds: float, detail: str = "") -> None:
        self._on_attempt(
            Attempt(
                candidate.label,
                candidate.provider,
                candidate.model,
                outcome,
                round(seconds, 3),
                detail,
                str(candidate.deployment_id),
                str(candidate.model_id),
            )
        )


async def _taken(taking: Coroutine[Any, Any, T], give_back: Callable[[T], None]) -> T:
    """What a thread takes for us, or nothing: it is given back where we are stopped before we have it."""
    task = asyncio.ensure_future(taking)

    def undo(done: asyncio.Future[T]) -> None:
        if not done.cancelled() and not done.exception():
            give_back(done.result())

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(undo)
        raise


def _give_back(entered: Admission | str | None) -> None:
    if isinstance(entered, Admission):
        if entered.call:
            line.shared().leave(entered.call, 0)
        if entered.probe:
            line.shared().give_back_probe(entered.candidate.deployment_id, entered.probe)


def _ignore(_: Any) -> None:
    """Nobody wants to hear it."""


def _nobody(shut: list[Candidate]) -> ProviderError:
    if not shut:
        return ProviderError("not_found", "the model has no enabled deployment")
    names = ", ".join(candidate.label for candidate in shut)
    wait = min(candidate.open_for for candidate in shut)
    return ProviderError("circuit_open", f"open breakers: {names}", retry_after=max(wait, 1.0))


def _counted(usage: Usage) -> int | None:
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)


async def _told(note: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """What all workers should know of a deployment is no reason to lose an answer."""
    try:
        await offload(note, *args, **kwargs)
    except DatabaseError as error:
        logger.warning("the state of a deployment cannot be noted now: %s", error)
