"""Which models may write a title: the one that is named for it, or the cheapest beside the one that answered."""

import functools
import json
import logging
import uuid
from collections.abc import Hashable, Sequence
from decimal import Decimal

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from chatcore.accounts import principals
from chatcore.accounts.principals import Principal
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

    None at all where whoever asked may ask no more. The replies come with their models and what they
    answer.
    """
    asker = functools.cache(principals.asker)
    chosen: dict[Hashable, Model | None] = {}
    found: dict[uuid.UUID, list[Model]] = {}
    for reply in replies:
        assert reply.model is not None
        principal = asker(reply.workspace_id, reply.user_id, reply.integration_id)
        if principal is None or _was_a_removed_integration_s(reply):
            found[reply.id] = []
            continue
        limits = principal.integration.constraints if principal.integration else {}
        key = principal.workspace.pk, principal.role, principal.grants, json.dumps(limits), reply.model.pk
        if key not in chosen:
            chosen[key] = _named(principal) or _cheapest(principal, reply.model)
        first = chosen[key]
        found[reply.id] = [first, reply.model] if first and first != reply.model else [reply.model]
    return found


def _was_a_removed_integration_s(reply: Message) -> bool:
    """Then its row names only the user for whom the integration acted, who did not ask."""
    asked = reply.parent
    return asked is not None and asked.author == Message.Author.INTEGRATION and asked.integration_id is None


def _named(principal: Principal) -> Model | None:
    """The model that whoever runs this server wants titles to be written by, whatever an asker may choose."""
    if not settings.TITLE_MODEL:
        return None
    models = Model.objects.filter(Q(workspace=None) | Q(workspace=principal.workspace))
    model = models.reachable().named(settings.TITLE_MODEL)
    if model is None:
        log.warning("TITLE_MODEL is %r, and no such model can be asked", settings.TITLE_MODEL)
    return model


def _cheapest(principal: Principal, own: Model) -> Model | None:
    """Of those the asker may use, and which reach only providers that may have read the conversation anyway. None:
    the price of no such model is known.

    What costs nothing is not taken beside what costs something: who gives answers away may keep the texts for it.
    """
    elsewhere = _reached(OuterRef("pk")).exclude(provider__in=_reached(own.pk).values("provider"))
    beside = Model.objects.for_principal(principal).filter(~Exists(elsewhere))
    prices = {
        model: price
        for model, price in priced(Model.objects.filter(Q(pk=own.pk) | Q(pk__in=beside.values("pk"))))
        if price and (model == own or principal.may_use_model(model.name))
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
    fallbacks = Fallback.objects.within_borders().filter(model=within).values("to")
    return Deployment.objects.usable().filter(Q(model=model) | Q(model__in=fallbacks))


def _cost(model: Model, price: Price) -> Decimal:
    return price.cost(Counts(READ, REASONED if model.supports_reasoning else WRITTEN)) or Decimal()
