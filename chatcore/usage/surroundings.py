"""What stands around a call in the database, read in one statement: replies end by the hundred at the same moment."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

from chatcore.usage.prices import Price, price_of


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


def look_around(
    *,
    workspace: uuid.UUID,
    user: uuid.UUID | None,
    integration: uuid.UUID | None,
    model: uuid.UUID | None,
    deployment: uuid.UUID | None,
    message: uuid.UUID | None,
) -> Surroundings:
    values = {
        "workspace": workspace,
        "user": user,
        "integration": integration,
        "model": model,
        "deployment": deployment,
        "message": message,
    }
    with connection.cursor() as sql:
        sql.execute(_LOOK, values)
        user, integration, model, deployment, *offer, budgeted, reserved = sql.fetchone()
    prices, kind, base_url, options, name = offer
    known = deployment is not None
    price = price_of(_read(prices), kind, base_url, _read(options) or {}, name) if known else None
    return Surroundings(user, integration, model, deployment, price, budgeted, reserved)


def _read(text: Any) -> Any:
    """Django leaves JSON of its own statements to its fields."""
    return json.loads(text) if isinstance(text, str) else text


_LOOK = """
select (select id from accounts_user where id = %(user)s),
    (select id from accounts_integration where id = %(integration)s),
    (select id from llm_model where id = %(model)s),
    d.id, coalesce(d.prices, m.prices), p.kind, p.base_url, p.options, d.upstream_name,
    exists(select from usage_budget where workspace_id = %(workspace)s and enabled),
    exists(select from usage_reservation where message = %(message)s)
from (values (1)) as one
left join llm_deployment d on d.id = %(deployment)s
left join llm_model m on m.id = d.model_id
left join llm_provider p on p.id = d.provider_id
"""
