"""What stands around a call in the database, read in one statement: replies end by the hundred at the same moment."""

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chatcore import rows
from chatcore.llm.prices import Price, price_of


@dataclass(frozen=True)
class Surroundings:
    """Those rows a call names that were not deleted meanwhile, the price of the deployment, and whether there is
    anything to settle: a budget of the workspace that is in force, a reservation for the reply.
    """

    user_id: uuid.UUID | None
    integration_id: uuid.UUID | None
    model_id: uuid.UUID | None
    deployment_id: uuid.UUID | None
    price: Price | None
    is_budgeted: bool
    is_reserved: bool

    @property
    def ids(self) -> dict[str, uuid.UUID | None]:
        names = ("user_id", "integration_id", "model_id", "deployment_id")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Centre:
    """What a call names; any of it may have been deleted meanwhile."""

    workspace: uuid.UUID
    user: uuid.UUID | None
    integration: uuid.UUID | None
    model: uuid.UUID | None
    deployment: uuid.UUID | None
    message: uuid.UUID | None


def look_around(centres: Iterable[Centre]) -> list[Surroundings]:
    """The surroundings of each, in order."""
    asked = [vars(centre) | {"place": place} for place, centre in enumerate(centres)]
    return [_surroundings(row) for row in rows.execute(_LOOK, {"asked": rows.json_text(asked)})]


def _surroundings(row: Sequence[Any]) -> Surroundings:
    user, integration, model, deployment, *offer, budgeted, reserved = row
    prices, kind, base_url, options, name = offer
    known = deployment is not None
    price = price_of(_read(prices), kind, base_url, _read(options) or {}, name) if known else None
    return Surroundings(user, integration, model, deployment, price, budgeted, reserved)


def _read(text: Any) -> Any:
    """Django leaves JSON of its own statements to its fields."""
    return json.loads(text) if isinstance(text, str) else text


# `borrows`: a workspace's own model at a provider of all; sharing.price_of_deployment says the same of one deployment.
_LOOK = """
select (select id from accounts_user where id = asked."user"),
    (select id from accounts_integration where id = asked.integration),
    (select id from llm_model where id = asked.model),
    d.id, case when borrows then coalesce(shared.prices, own.prices) else coalesce(own.prices, m.prices) end,
    p.kind, p.base_url, p.options, d.upstream_name,
    exists(select from usage_budget where workspace_id = asked.workspace and enabled),
    exists(select from usage_reservation where message = asked.message)
from json_to_recordset(%(asked)s::json) as asked(
    place int, workspace uuid, "user" uuid, integration uuid, model uuid, deployment uuid, message uuid
)
left join llm_deployment d on d.id = asked.deployment
left join llm_model m on m.id = d.model_id
left join llm_provider p on p.id = d.provider_id
cross join lateral (select p.workspace_id is null and m.workspace_id is not null as borrows) key
cross join lateral (select nullif(d.prices, '{}') as prices) own
left join lateral (
    select coalesce(nullif(of.prices, '{}'), model.prices) as prices
    from llm_deployment of join llm_model model on model.id = of.model_id and model.workspace_id is null
    where borrows and of.provider_id = d.provider_id and of.upstream_name = d.upstream_name
        and coalesce(nullif(of.prices, '{}'), model.prices) is not null
    order by of.id limit 1
) shared on true
order by asked.place
"""
