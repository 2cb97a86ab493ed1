"""Which deployment answers: in order, each at most once, silently on to the next until the first word is out.

What is said of a deployment stands in breakers.py, its limits in places.py and line.py, the order in candidates.py.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ParamSpec, TypeAlias

from django.conf import settings
from django.db import Error as DatabaseError

from chatcore.llm import breakers, candidates, instances, latencies, line, tokens
from chatcore.llm.admission import Admission, admitted, answer_tokens
from chatcore.llm.attempts import ANSWERED, STOPPED, Attempt, attempt_at
from chatcore.llm.breakers import ASKERS_OWN
from chatcore.llm.candidates import Candidate
from chatcore.llm.contents import told
from chatcore.llm.errors import ProviderError
from chatcore.llm.line import OnWait
from chatcore.llm.streaming import configured_timeouts, guarded
from chatcore.llm.types import Finished, ModelEvent, ModelRequest, Usage
from chatcore.offload import offload

logger = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
P = ParamSpec("P")

OnAttempt: TypeAlias = Callable[[Attempt], None]
OnRestart: TypeAlias = Callable[[], Awaitable[None]]
StandIns: TypeAlias = Callable[[Collection[uuid.UUID]], Awaitable[Collection[uuid.UUID]]]


async def answer(
    model_id: uuid.UUID,
    request: ModelRequest,
    *,
    on_attempt: OnAttempt | None = None,
    on_wait: OnWait | None = None,
    on_restart: OnRestart | None = None,
    stand_ins: StandIns | None = None,
) -> AsyncGenerator[ModelEvent, None]:
    """The model's answer, ended by Finished. `request.model` and the default parameters are filled in here.

    `on_attempt` hears of every deployment that was considered: of a failed one at once, of the one that answers with
    its first token, of one that has said nothing yet when the request is stopped. `on_wait` hears the position in line
    (1 is next) some times a second, and 0 when the wait is over. `on_restart` is awaited before the first event of
    another deployment when one broke off in mid-answer: what it said is void. That happens once; without `on_restart`,
    never. `stand_ins` tells which of the model's fallbacks may answer whoever asks: it is asked once, before the first
    of them is considered. Without it, all may.

    Raises ProviderError: the last one where nobody answered; with `started` set where the answering one failed later
    and nobody could begin anew. Close this generator (`contextlib.aclosing`) to stop early.
    """
    route = Route(
        model_id,
        request,
        on_attempt=on_attempt,
        on_wait=on_wait,
        on_restart=on_restart,
        stand_ins=stand_ins,
    )
    async with aclosing(route.admissions()) as admissions:
        async for admission in admissions:
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
        *,
        on_attempt: OnAttempt | None,
        on_wait: OnWait | None,
        on_restart: OnRestart | None,
        stand_ins: StandIns | None,
    ) -> None:
        self.failure: ProviderError | None = None
        self._model_id = model_id
        self._request = request
        self._on_attempt = on_attempt or _ignore
        self._on_wait = on_wait or _ignore
        self._on_restart = on_restart
        self._stand_ins = stand_ins
        self._able: Collection[uuid.UUID] | None = None
        self._input_tokens = tokens.of_turns(request.turns)
        self._tokens = self._input_tokens + answer_tokens(request)
        self._tried: set[uuid.UUID] = set()
        self._told: set[uuid.UUID] = set()
        self._seconds_left = configured_timeouts().total
        self._wait_until: float | None = None
        self._interrupted: ProviderError | None = None

    async def admissions(self) -> AsyncGenerator[Admission, None]:
        """Who may be asked next, for as long as one is asked for. Whoever is taken over must be given to `asked`."""
        while True:
            full: list[Candidate] = []
            shut: list[Candidate] = []
            read_at = time.monotonic()
            found = await candidates.found(self._model_id, self._input_tokens)
            for candidate in found:
                if candidate.deployment_id in self._tried or not await self._is_able(candidate, found):
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
        except asyncio.CancelledError:
            if not started:
                self._note(candidate, STOPPED, time.monotonic() - began)
            raise
        finally:
            self._seconds_left -= time.monotonic() - began
            if admission.call:
                line.shared().leave(admission.call, tokens)
            if admission.probe and not started:
                line.shared().give_back_probe(candidate.deployment_id, admission.probe)

    async def _is_able(self, candidate: Candidate, found: Collection[Candidate]) -> bool:
        """Whether it is of the model that was asked, or of one that may stand in for it."""
        if candidate.model_id == self._model_id or self._stand_ins is None:
            return True
        if self._able is None:
            self._able = await self._stand_ins({each.model_id for each in found} - {self._model_id})
        return candidate.model_id in self._able

    async def _enter(self, candidate: Candidate, *, is_fresh: bool) -> Admission | str:
        """The right to ask it, or why not: `circuit_open`, `busy`."""
        if is_fresh and not candidate.is_shut and not candidate.is_counted:
            return Admission(candidate)
        return await admitted(candidate, self._tokens)

    async def _wait(self, full: list[Candidate]) -> Admission | None:
        """In line for whichever of them has a place first; all waits of a request end at one time. A title is not
        worth a wait.
        """
        if self._request.purpose != "reply":
            raise ProviderError("busy", "every place is taken")
        if self._wait_until is None:
            self._wait_until = asyncio.get_running_loop().time() + settings.MODEL_WAIT_TIMEOUT
        wanted = {candidate.deployment_id: candidate for candidate in full}
        place = await line.shared().turn(list(wanted), self._tokens, self._wait_until, self._on_wait)
        return Admission(wanted[place.deployment_id], place.probe, place.call) if place else None

    async def _early_probe(self, shut: list[Candidate]) -> Admission | None:
        """Nobody else is left: before its time, one request may look whether the first to come back is back."""
        candidate = min(shut, key=lambda each: each.open_for)
        entered = await admitted(candidate, self._tokens, early=True)
        return entered if isinstance(entered, Admission) else None

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
            probe = None if started else admission.probe
            await _told(breakers.note_failure, candidate.deployment_id, error, probe, seconds=seconds)
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
        self._on_attempt(attempt_at(candidate, outcome, seconds, detail))


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
