"""Usage and budgets as the API shows them."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, StrictBool

from chatcore.bodies import Body
from chatcore.usage.models import Budget, Spending, Usage
from chatcore.usage.summaries import Sums

Unit = Literal["requests", "tokens", "money"]
Period = Literal["day", "month"]
Limit = Annotated[Decimal, Field(gt=0, description="Requests, tokens, or money.")]
Currency = Annotated[
    str, Field(pattern=r"^[A-Z]{3}$", description="Of money budgets; costs in another one are not counted.")
]
Strict = Annotated[
    StrictBool, Field(description="A money budget refuses models whose price is unknown; others pass.")
]
ABSENT: Any = None


def plain(amount: Decimal) -> str:
    """Without the zeros at its end, and never with an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class UsageResource(BaseModel):
    """One call of a model. null is unknown, which is not zero."""

    id: uuid.UUID
    created_at: datetime = Field(description="When it ended.")
    user: uuid.UUID | None
    integration: uuid.UUID | None
    agent_run: uuid.UUID | None
    conversation: uuid.UUID | None
    message: uuid.UUID | None = Field(description="The reply it made; null: none, for example a title.")
    purpose: str = Field(description="`reply`, `title`, …")
    model: str = Field(description="The model that answered.")
    deployment: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None = Field(description="Part of the input: read from the provider's cache.")
    cache_write_tokens: int | None = Field(
        description="Part of the input: written into the provider's cache."
    )
    reasoning_tokens: int | None = Field(description="Part of the output.")
    estimated: bool = Field(description="The provider did not count these tokens; they are an estimate.")
    cost: str | None
    currency: str | None
    prices: dict[str, Any] | None = Field(
        description="Per million tokens, as they were then; `above`: for requests that read more `tokens`."
    )
    first_token_ms: int | None
    total_ms: int | None
    outcome: Literal["done", "stopped", "failed"]
    code: str = Field(description="Why it failed.")
    unknown_attempts: int = Field(
        description="Deployments that failed and workers that were lost before; nobody knows what those consumed."
    )

    @classmethod
    def of(cls, row: Usage) -> "UsageResource":
        named = {name: getattr(row, name) for name in cls.model_fields if name not in _RENAMED}
        return cls(
            **named,
            user=row.user_id,
            integration=row.integration_id,
            model=row.model_name,
            deployment=row.deployment_name,
            cost=None if row.cost is None else plain(row.cost),
            currency=row.currency or None,
        )


_RENAMED = {"user", "integration", "model", "deployment", "cost", "currency"}


class SumsResource(BaseModel):
    """What was used on one day, or by one user, model or integration."""

    key: str | None = Field(description="The day (UTC), or an id; null: nobody, or deleted.")
    name: str
    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    unknown_token_calls: int = Field(description="Calls whose tokens nobody counted, not in the sums.")
    cost: dict[str, str] = Field(description="By currency.")
    unknown_cost_calls: int = Field(description="Calls whose cost is unknown, not in `cost`.")

    @classmethod
    def of(cls, sums: Sums) -> "SumsResource":
        cost = {currency: plain(amount) for currency, amount in sorted(sums.cost.items())}
        return cls(**vars(sums) | {"cost": cost})


class UsageSummaryResource(BaseModel):
    """Sums of what you may see."""

    by: Literal["day", "user", "model", "integration"]
    results: list[SumsResource] = Field(description="Days in their order, others by calls, most first.")
    total: SumsResource


class BudgetResource(BaseModel):
    """A limit, and where it stands in the period that runs now."""

    id: uuid.UUID
    user: uuid.UUID | None = Field(description="null: not limited to one user.")
    integration: uuid.UUID | None
    model: str | None
    unit: Unit
    period: Period = Field(description="In UTC.")
    limit: str
    currency: str | None
    strict: bool
    enabled: bool
    set_by_staff: bool = Field(description="Only the staff of the server change or remove it.")
    spent: str
    reserved: str = Field(description="Set aside for replies that wait or run.")
    remaining: str
    resets_at: datetime
    created_at: datetime

    @classmethod
    def of(cls, budget: Budget, counter: Spending) -> "BudgetResource":
        left = max(budget.limit - counter.spent - counter.reserved, Decimal())
        return cls(
            id=budget.id,
            user=budget.user_id,
            integration=budget.integration_id,
            model=budget.model.name if budget.model else None,
            unit=budget.unit,
            period=budget.period,
            limit=plain(budget.limit),
            currency=budget.currency if budget.unit == Budget.Unit.MONEY else None,
            strict=budget.strict,
            enabled=budget.enabled,
            set_by_staff=budget.set_by_staff,
            spent=plain(counter.spent),
            reserved=plain(counter.reserved),
            remaining=plain(left),
            resets_at=counter.resets_at,
            created_at=budget.created_at,
        )


class BudgetChanges(Body):
    """What is to change of a budget; what is not named stays. Another unit, period or scope is counted anew."""

    EXAMPLE: ClassVar = {"limit": "25.00"}

    unit: Unit = ABSENT
    period: Period = ABSENT
    limit: Limit = ABSENT
    user: uuid.UUID | None = Field(None, description="Only what is used in this user's name.")
    integration: uuid.UUID | None = Field(None, description="Only what this integration uses.")
    model: str | None = Field(None, max_length=150, description="Only what this model is used for.")
    currency: Currency = ABSENT
    strict: Strict = ABSENT
    enabled: StrictBool = ABSENT


class NewBudget(BudgetChanges):
    """A budget of the whole workspace, or of the user or integration and the model it names."""

    EXAMPLE: ClassVar = {"unit": "money", "limit": "10.00", "currency": "USD", "period": "month"}

    unit: Unit
    period: Period
    limit: Limit
