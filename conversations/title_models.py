"""Which models may write a title: the one that is named for it, or the cheapest beside the one that answered."""

import json
import logging
import uuid
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from chatcore.accounts.constraints import allows_model
from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from chatcore.accounts.roles import MEMBER_GRANTS
from chatcore.llm.models import Deployment, Fallback, Model
from chatcore.llm.prices import Price
from chatcore.llm.types import Usage as Counts
from chatcore.usage.prices import priced
from conversations.models import Message

log = logging.getLogger(__name__)

CURRENCY = "USD"  # in which prices are compared where that of the model that answered is unknown
READ, WRITTEN, REASONED = 1_000, 30, 300  # about how many tokens a title takes


def title_models(replies: Sequence[Message]) -> dict[uuid.UUID, list[Model]]:
    """For each reply, by its id, the models to ask in turn; the last is the one that answered.

    The replies come with all that they name.
    """
    roles = _roles(replies)
    chosen: dict[Hashable, Model | None] = {}
    found = {}
    for reply in replies:
        assert reply.model is not None
        principal = _asker(reply, roles)
        limits = principal.integration.constraints if principal.integration else {}
        key = principal.workspace.pk, principal.role, principal.grants, json.dumps(limits), reply.model.pk
        if key not in chosen:
            chosen[key] = _named(principal) or _cheapest(principal, limits, reply.model)
        first = chosen[key]
        found[reply.id] = [first, reply.model] if first and first != reply.model else [reply.model]
    return found


def _roles(replies: Sequence[Message]) -> dict[tuple[uuid.UUID, uuid.UUID], str]:
    users = {reply.user_id for reply in replies if reply.user_id}
    workspaces = {reply.workspace_id for reply in replies}
    members = Membership.objects.filter(user__in=users, workspace__in=workspaces)
    return {
        (workspace, user): role for workspace, user, role in members.values_list("workspace", "user", "role")
    }


def _asker(reply: Message, roles: Mapping[tuple[uuid.UUID, uuid.UUID], str]) -> Principal:
    """Whoever asked for the reply, with the rights of today."""
    role = roles.get((reply.workspace_id, reply.user_id), "") if reply.user_id else ""
    integration = reply.integration
    grants = frozenset(integration.grants) if integration else MEMBER_GRANTS.get(role, frozenset())
    return Principal(reply.user, reply.workspace, integration, grants, role)


def _named(principal: Principal) -> Model | None:
    """The model that whoever runs this server wants titles to be written by, whatever an asker may choose."""
    if not settings.TITLE_MODEL:
        return None
    models = Model.objects.filter(Q(workspace=None) | Q(workspace=principal.workspace))
    model = models.reachable().named(settings.TITLE_MODEL)
    if model is None:
        log.warning("TITLE_MODEL is %r, and no such model can be asked", settings.TITLE_MODEL)
    return model


def _cheapest(principal: Principal, limits: Mapping[str, Any], own: Model) -> Model | None:
    """Of those the asker may use, and which reach only providers that may have read the conversation anyway. None:
    the price of no such model is known.

    What costs nothing is not taken beside what costs something: who gives answers away may keep the texts for it.
    """
    elsewhere = _reached(OuterRef("pk")).exclude(provider__in=_reached(own.pk).values("provider"))
    beside = Model.objects.for_principal(principal).filter(~Exists(elsewhere))
    prices = {
        model: price
        for model, price in priced(Model.objects.filter(Q(pk=own.pk) | Q(pk__in=beside.values("pk"))))
        if price and (model == own or allows_model(limits, model.name))
    }
    known = prices.get(own)
    currency = known.currency if known else CURRENCY
    costs = {
        model: cost
        for model, price in prices.items()
        if price.currency == currency and ((cost := _cost(model, price)) or model == own)
    }
    return min(costs, key=lambda model: (costs[model], model != own, model.pk), default=None)


def _reached(model: uuid.UUID | OuterRef) -> QuerySet[Deployment]:
    """Where a request to the model may go: it may fall back on others."""
    within = OuterRef(model) if isinstance(model, OuterRef) else model  # one query further in
    fallbacks = Fallback.objects.filter(model=within).values("to")
    return Deployment.objects.usable().filter(Q(model=model) | Q(model__in=fallbacks))


def _cost(model: Model, price: Price) -> Decimal:
    return price.cost(Counts(READ, REASONED if model.supports_reasoning else WRITTEN)) or Decimal()
