"""Which deployment answers: in order, each at most once, silently on to the next until the first word is out."""

import random
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chatcore.llm import instances
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment, Fallback
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.streaming import configured_timeouts, guarded
from chatcore.llm.types import ModelEvent, ModelRequest
from chatcore.offload import offload
from chatcore.security.fields import Unreadable

ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One deployment asked. `outcome` is "answered" or the code of its ProviderError.

    `seconds` is the time to its first token, or to its failure. `detail` is for staff.
    """

    deployment: str
    provider: str
    model: str
    outcome: str
    seconds: float
    detail: str = ""
    deployment_id: str = ""
    model_id: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment with all that asking it takes, read at once: the event loop never meets the ORM.

    No settings: the provider's credential cannot be decrypted.
    """

    label: str
    model: str
    upstream_name: str
    default_params: dict[str, Any]
    provider_id: uuid.UUID
    provider: str
    provider_version: datetime
    settings: ProviderSettings | None
    deployment_id: uuid.UUID
    model_id: uuid.UUID


async def answer(
    model_id: uuid.UUID,
    request: ModelRequest,
    *,
    on_attempt: Callable[[Attempt], None] | None = None,
) -> AsyncGenerator[ModelEvent, None]:
    """The model's answer, ended by Finished. `request.model` and the default parameters are filled in here.

    `on_attempt` hears of every deployment that was asked: of a failed one at once, of the one that answers
    with its first token. Raises ProviderError: the last one where nobody answered; with `started` set where
    the answering one failed later. Close this generator (`contextlib.aclosing`) to stop early.
    """
    failure = ProviderError("not_found", "the model has no enabled deployment")
    for candidate in await offload(candidates, model_id):
        began = time.monotonic()
        started = False
        try:
            async with aclosing(_asked(candidate, request)) as events:
                async for event in events:
                    if not started:
                        started = True
                        _note(on_attempt, candidate, began, ANSWERED)
                    yield event
            return
        except ProviderError as error:
            error.started = started
            if started:
                raise
            _note(on_attempt, candidate, began, error.code, error.detail)
            failure = error
    raise failure


def candidates(model_id: uuid.UUID) -> list[Candidate]:
    """The deployments to try, in order: the model's own, then those of each of its fallbacks."""
    links = Fallback.objects.filter(model=model_id).order_by("position", "pk")
    order = [model_id, *links.values_list("to_id", flat=True)]
    usable = Deployment.objects.usable().filter(model__in=order)
    try:
        deployments = list(usable)
    except Unreadable:
        deployments = list(usable.defer("provider__credential"))
    # Shares one priority by weight: the largest of n draws u^(1/w) falls on each with probability w / Σw.
    drawn = {each.pk: random.random() ** (1 / each.weight) for each in deployments}  # noqa: S311
    deployments.sort(key=lambda each: (order.index(each.model_id), each.priority, -drawn[each.pk]))
    return [_candidate(deployment) for deployment in deployments]


async def _asked(candidate: Candidate, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
    """One candidate's events."""
    if candidate.settings is None:
        raise ProviderError("auth", "the provider's credential cannot be decrypted")
    params = {**candidate.default_params, **request.params}
    asked = replace(request, model=candidate.upstream_name, params=params)
    version = candidate.provider_version
    async with (
        instances.borrowed(candidate.provider_id, version, candidate.settings) as provider,
        aclosing(guarded(provider.stream(asked), configured_timeouts())) as events,
    ):
        async for event in events:
            yield event


def _candidate(deployment: Deployment) -> Candidate:
    provider = deployment.provider
    try:
        settings = provider.settings()
    except Unreadable:
        settings = None
    return Candidate(
        label=str(deployment),
        model=deployment.model.name,
        upstream_name=deployment.upstream_name,
        default_params=deployment.model.default_params,
        provider_id=provider.pk,
        provider=provider.name,
        provider_version=provider.updated_at,
        settings=settings,
        deployment_id=deployment.pk,
        model_id=deployment.model_id,
    )


def _note(
    on_attempt: Callable[[Attempt], None] | None,
    candidate: Candidate,
    began: float,
    outcome: str,
    detail: str = "",
) -> None:
    if on_attempt is not None:
        seconds = round(time.monotonic() - began, 3)
        asked = (candidate.label, candidate.provider, candidate.model, outcome, seconds, detail)
        on_attempt(Attempt(*asked, str(candidate.deployment_id), str(candidate.model_id)))
