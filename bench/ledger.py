"""Six weeks of usage for looking at its page: people, a system, models with and without a price, budgets."""

import math
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from chatcore.accounts.models import Integration, Membership, User, Workspace
from chatcore.llm.models import Model
from chatcore.usage.models import Budget, Usage

PEOPLE = ("Amara Okafor", "Ludwig van der Meer", "林小雨", "Zoë")
MODELS = (("Claude Sonnet 5.5", Decimal("9")), ("GPT-5.4 mini", Decimal("1.1")), ("Llama on the shelf", None))
DAYS = 45


def fill_ledger(owner: User, workspace: Workspace) -> None:
    """Calls that rise and fall with the weeks, and four budgets."""
    people = [owner, *(_member(workspace, number, name) for number, name in enumerate(PEOPLE))]
    alerts, _ = Integration.objects.get_or_create(workspace=workspace, name="Alerts")
    models = [
        (Model.objects.get_or_create(name=label.lower(), defaults={"label": label})[0], price)
        for label, price in MODELS
    ]
    now = timezone.now()
    rows = []
    for number in range(DAYS * 24):
        at = now - timedelta(hours=number)
        busy = math.sin(number / 24 / 7 * 2 * math.pi) + 1.2 + 0.4 * math.sin(number / 11)
        for call in range(int(busy * 1.4)):
            model, price = models[(number * 7 + call) % 5 % 3]
            tokens = 900 + (number * 7919 + call * 104729) % 5200
            failed = (number + call) % 37 == 0
            rows.append(
                Usage(
                    workspace=workspace,
                    user=people[(number + call * 3) % 11 % 5],
                    integration=alerts if number % 9 == 0 else None,
                    model=model,
                    model_name=model.name,
                    purpose="reply",
                    outcome="failed" if failed else "done",
                    code="timeout" if failed else "",
                    input_tokens=None if failed else tokens,
                    output_tokens=None if failed else tokens // 7,
                    cost=None if failed or price is None else price * tokens / 1_000_000,
                    currency="" if failed or price is None else "USD",
                    created_at=at,
                )
            )
    Usage.objects.bulk_create(rows)
    for fields in (
        {"unit": "money", "period": "month", "limit": 40},
        {"unit": "requests", "period": "day", "limit": 20, "user": people[1]},
        {"unit": "tokens", "period": "month", "limit": 20_000_000, "model": models[0][0]},
        {"unit": "money", "period": "day", "limit": 2, "integration": alerts, "strict": True},
    ):
        Budget.objects.create(workspace=workspace, **fields)


def _member(workspace: Workspace, number: int, name: str) -> User:
    user = User.objects.create_user(f"colleague{number}@example.com", name=name)
    Membership.objects.create(user=user, workspace=workspace)
    return user
