"""Which deployments may answer for a model, and in which order they are asked."""

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from math import inf
from statistics import median
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from chatcore.errors import ChatcoreError
from chatcore.llm import breakers, parameters
from chatcore.llm.contents import suited
from chatcore.llm.models import Deployment, Fallback, Model
from chatcore.llm.prices import Price, read_prices
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.sharing import price_of_deployment
from chatcore.llm.traffic import Call, DeploymentHealth
from chatcore.llm.types import ModelRequest
from chatcore.offload import offload
from chatcore.prepared import Prepared, plans_kept
from chatcore.security.fields import Unreadable
from chatcore.together import Together

EXPLORATION = 0.05  # of the requests measure what is not the fastest
LISTED_CURRENCY = "USD"  # what vendors' lists are in

Strategy = Model.Strategy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment with all that asking it takes, read at once: the event loop never meets the ORM.

    No settings: the provider's credential cannot be decrypted. `is_limited`: it has a limit; `is_counted`: its
    requests are counted, for a limit or for the strategy. `is_shut`: its breaker was open or half-open;
    `open_for` is how many seconds more. `has_failed`: it has failures to forget.
    """

    deployment_id: uuid.UUID
    label: str
    model_id: uuid.UUID
    model: str
    upstream_name: str
    default_params: dict[str, Any]
    max_output: int | None
    provider_id: uuid.UUID
    provider: str
    provider_version: datetime
    settings: ProviderSettings | None
    takes_images: bool
    strategy: str
    is_limited: bool
    is_counted: bool
    is_shut: bool
    open_for: float
    has_failed: bool

    def request(self, wished: ModelRequest) -> ModelRequest:
        """The request as it is asked here: the model by its name here, its parameters, nothing it does not take."""
        params = parameters.with_defaults(self.default_params, wished.params)
        params, cut = parameters.limited(params, self.max_output)
        suitable = suited(wished, takes_images=self.takes_images)
        left_out = (*suitable.left_out, *cut)
        return replace(suitable, model=self.upstream_name, params=params, left_out=left_out)


def candidates(model_id: uuid.UUID, input_tokens: int = 0) -> list[Candidate]:
    """The deployments to try, in order: the model's own, then those of each of its fallbacks.

    `input_tokens` is about what they are to read: where prices are compared, some are higher for long requests.
    """
    return _orders(model_id, [input_tokens])[0]


async def found(model_id: uuid.UUID, input_tokens: int = 0) -> list[Candidate]:
    """`candidates`, read once for all requests that ask for them at this moment."""
    return await _together(partial(_for_each, model_id), input_tokens, model_id)


def _for_each(model_id: uuid.UUID, asking: Sequence[int]) -> Sequence[list[Candidate] | ChatcoreError]:
    return _orders(model_id, asking)


@plans_kept()
def _orders(model_id: uuid.UUID, requests: Sequence[int]) -> list[list[Candidate]]:
    """An order for each of them, by its input tokens, as if one had asked after the other."""
    order = [model_id, *(link.to_id for link in _links(model_id))]
    try:
        deployments = _deployments(model_id)
    except Unreadable:
        deployments = list(_usable(model_id).defer("provider__credential"))
    liking = _likings(deployments)
    offers = _offers(deployments)
    ready = {each.pk: _candidate(each) for each in deployments}
    orders = []
    for input_tokens in requests:
        liking |= {pk: offer.liking(input_tokens) for pk, offer in offers.items()}
        ordered = _ordered(deployments, order, liking)
        orders.append([ready[each.pk] for each in ordered])
        if ordered and ordered[0].model.strategy == Strategy.LEAST_BUSY:
            is_measured, running = liking[ordered[0].pk]
            liking[ordered[0].pk] = (is_measured, running + 1)
    return orders


def _fallbacks(model_id: uuid.UUID) -> QuerySet[Fallback]:
    return Fallback.objects.within_borders().filter(model=model_id)


def _usable(model_id: uuid.UUID) -> QuerySet[Deployment]:
    """Those of the model and of its fallbacks, each with the database's `now`."""
    own_or_fallback = Q(model=model_id) | Q(model__in=_fallbacks(model_id).values("to"))
    return Deployment.objects.usable().filter(own_or_fallback).select_related("health").annotate(now=Now())


_links: Prepared[Fallback] = Prepared(_fallbacks, uuid.UUID)
_deployments: Prepared[Deployment] = Prepared(_usable, uuid.UUID)


def _ordered(
    deployments: Sequence[Deployment], order: Sequence[uuid.UUID], liking: "Mapping[uuid.UUID, Liking]"
) -> list[Deployment]:
    """Shares one priority by weight: the largest of n draws u^(1/w) falls on each with probability w / Σw."""
    drawn = {each.pk: random.random() ** (1 / each.weight) for each in deployments}  # noqa: S311
    return sorted(
        deployments,
        key=lambda each: (order.index(each.model_id), each.priority, *liking[each.pk], -drawn[each.pk]),
    )


_together: Together[int, list[Candidate]] = Together(offload)

Liking = tuple[bool, float]
Rule = Callable[[Sequence[Deployment]], Mapping[uuid.UUID, Liking]]


def _likings(deployments: Sequence[Deployment]) -> dict[uuid.UUID, Liking]:
    """What each deployment's strategy thinks of it: the lowest is asked first."""
    likings: dict[uuid.UUID, Liking] = {each.pk: (False, 0.0) for each in deployments}
    for strategy, rule in RULES.items():
        concerned = [each for each in deployments if each.model.strategy == strategy]
        if concerned:
            likings.update(rule(concerned))
    return likings


def _busyness(deployments: Sequence[Deployment]) -> dict[uuid.UUID, Liking]:
    running = Call.objects.filter(deployment__in=deployments, expires_at__gt=Now())
    counts = dict(running.values_list("deployment").annotate(number=Count("pk")))
    return {each.pk: (False, counts.get(each.pk, 0)) for each in deployments}


def _slowness(deployments: Sequence[Deployment]) -> dict[uuid.UUID, Liking]:
    """What was never measured comes first; now and then all are drawn, so that what has become fast is noticed."""
    if random.random() < EXPLORATION:  # noqa: S311
        return {}
    return {
        each.pk: (True, median(health.latencies))
        if (health := health_of(each)) and health.latencies
        else (False, 0.0)
        for each in deployments
    }


@dataclass(frozen=True, slots=True)
class Offer:
    """What a deployment of a model that wants the cheapest costs. `currency` is the one they are compared in."""

    price: Price | None
    currency: str

    def liking(self, input_tokens: int) -> Liking:
        """Nobody knows whether a price in another currency is lower: it comes after those that can be compared."""
        if self.price is None:
            return True, inf
        return self.price.currency != self.currency, float(self.price.blended(input_tokens))


def _offers(deployments: Sequence[Deployment]) -> dict[uuid.UUID, Offer]:
    concerned = [each for each in deployments if each.model.strategy == Strategy.CHEAPEST]
    offers = {}
    for each in concerned:
        of_model = read_prices(each.model.prices)
        offers[each.pk] = Offer(price_of_deployment(each), of_model.currency if of_model else LISTED_CURRENCY)
    return offers


RULES: Mapping[str, Rule] = {
    Strategy.LEAST_BUSY: _busyness,
    Strategy.LOWEST_LATENCY: _slowness,
}


def health_of(deployment: Deployment) -> DeploymentHealth | None:
    return getattr(deployment, "health", None)


def _candidate(deployment: Deployment) -> Candidate:
    provider, model, health = deployment.provider, deployment.model, health_of(deployment)
    try:
        settings = provider.settings()
    except Unreadable:
        settings = None
    open_until = health.open_until if health else None
    now: datetime = deployment.now  # type: ignore[attr-defined] # annotated
    return Candidate(
        deployment_id=deployment.pk,
        label=str(deployment),
        model_id=model.pk,
        model=model.name,
        upstream_name=deployment.upstream_name,
        default_params=model.default_params,
        max_output=model.max_output,
        provider_id=provider.pk,
        provider=provider.name,
        provider_version=provider.updated_at,
        settings=settings,
        takes_images=model.supports_vision,
        strategy=model.strategy,
        is_limited=deployment.is_limited,
        is_counted=deployment.is_limited or model.strategy == Strategy.LEAST_BUSY,
        is_shut=breakers.is_open(health),
        open_for=max(0.0, (open_until - now).total_seconds()) if open_until else 0.0,
        has_failed=bool(health and (health.failures or health.openings)),
    )
