"""Makers of ledger rows and budgets for the tests."""

from decimal import Decimal
from typing import Any

from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.llm.models import Model
from chatcore.usage.actions import add_budget
from chatcore.usage.models import Budget, Usage
from tests.factories import make_model

PRICES = {"currency": "USD", "input": 2, "output": 10, "cached": 0.5}


def make_priced(name: str = "", **fields: Any) -> Model:
    """A model that costs 2 USD a million tokens read, 10 written, 0.50 read from a cache."""
    model = make_model(name, **fields)
    model.prices = PRICES
    model.save()
    return model


def make_usage(principal: Principal, **fields: Any) -> Usage:
    """A row of the ledger: one answer of 100 tokens to 1,000, for 0.003 USD."""
    fields = {
        "purpose": "reply",
        "outcome": Usage.Outcome.DONE,
        "model_name": "plain",
        "input_tokens": 1_000,
        "output_tokens": 100,
        "cost": Decimal("0.003"),
        "currency": "USD",
        "created_at": timezone.now(),
    } | fields
    if fields["cost"] is None:
        fields["currency"] = ""
    return Usage.objects.create(
        workspace=principal.workspace, user=principal.user, integration=principal.integration, **fields
    )


def make_budget(owner: Principal, limit: str | int = 10, unit: str = "requests", **fields: Any) -> Budget:
    return add_budget(owner, limit=Decimal(limit), unit=unit, **{"period": "month"} | fields)
