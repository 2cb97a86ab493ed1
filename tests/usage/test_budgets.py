"""Budgets: what is set aside, what is charged, what is given back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.llm.models import Deployment, Model
from chatcore.llm.types import Usage as Counts
from chatcore.usage import spending
from chatcore.usage.actions import change_budget
from chatcore.usage.errors import BudgetExceeded, PriceUnknown
from chatcore.usage.models import Budget, Reservation, Spending, Usage
from chatcore.usage.tasks import recount_current, sweep_reservations
from conversations import actions
from conversations.claims import claim_replies
from conversations.finishing import Outcome
from conversations.models import Conversation, Message
from tests.factories import make_key_principal, make_model, make_principal
from tests.usage.factories import PRICES, make_budget, make_priced, make_usage
from tests.usage.spending import ask, finish, start, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def test_requests_are_counted_until_the_limit(owner: Principal) -> None:
    conversation = start(owner)
    budget = make_budget(owner, 2)
    ask(owner, conversation)
    ask(owner, conversation)

    with pytest.raises(BudgetExceeded) as refused:
        ask(owner, conversation)

    assert state(budget) == (0, 2)
    assert refused.value.detail.startswith("The workspace's budget of 2 requests a month has not enough left")
    assert Message.objects.filter(author="assistant").count() == 2


def test_a_long_prompt_is_set_aside_and_charged_at_its_price(owner: Principal) -> None:
    model = make_priced()
    model.prices = {**PRICES, "above": [{"tokens": 100, "input": 20, "output": 100}]}
    model.save()
    conversation = start(owner, model)
    money = make_budget(owner, 1, "money")
    ask(owner, conversation)
    assert state(money) == (0, Decimal("0.05208")), (
        "104 to read, and 500 that may be written, both at ten times"
    )

    (claim,) = claim_replies(1)
    finish(claim, Counts(1_000, 100), model)

    assert state(money) == (Decimal("0.03"), 0)
    row = Usage.objects.get()
    assert row.prices is not None
    assert row.prices["above"] == [{"tokens": 100, "input": "20", "output": "100", "cached": "0.5"}]


def test_a_free_model_of_ones_own_at_a_shared_provider_spends_the_budget_like_the_shared_one(
    owner: Principal,
) -> None:
    shared = make_priced()
    own = Model.objects.create(
        workspace=owner.workspace, name="own", label="Own", prices={"input": 0, "output": 0}
    )
    at = shared.deployments.get()
    Deployment.objects.create(model=own, provider=at.provider, upstream_name=at.upstream_name)
    budget = make_budget(owner, "0.006", "money", set_by_staff=True)
    conversation = start(owner, own)
    ask(owner, conversation)
    assert state(budget) == (0, Decimal("0.005208"))

    (claim,) = claim_replies(1)
    finish(claim, Counts(1_000, 100), own)

    assert state(budget) == (Decimal("0.003"), 0)
    row = Usage.objects.get(purpose="reply")
    assert (row.model_name, row.cost) == ("own", Decimal("0.003"))
    with pytest.raises(BudgetExceeded):
        ask(owner, conversation)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "ask an owner or admin for more"),
        ({"set_by_staff": True}, "ask the staff of this server for more"),
    ],
)
def test_who_can_raise_a_spent_budget_is_said(owner: Principal, fields: dict[str, Any], words: str) -> None:
    make_budget(owner, 1, **fields)
    ask(owner, start(owner))
    with pytest.raises(BudgetExceeded, match=words):
        ask(owner, start(owner))


def test_what_was_set_aside_becomes_what_it_truly_cost(owner: Principal) -> None:
    model = make_priced()
    conversation = start(owner, model)
    money, tokens = make_budget(owner, 1, "money"), make_budget(owner, 10_000, "tokens")
    ask(owner, conversation)
    assert state(tokens) == (0, 604), "104 to read, and 500 that may be written"
    assert state(money) == (0, Decimal("0.005208"))

    (claim,) = claim_replies(1)
    finish(claim, Counts(1_000, 100), model)

    assert state(tokens) == (1_100, 0)
    assert state(money) == (Decimal("0.003"), 0)


def test_a_smaller_wish_sets_less_aside(owner: Principal) -> None:
    tokens = make_budget(owner, 10_000, "tokens")
    ask(owner, start(owner), params={"max_tokens": 20})
    assert state(tokens) == (0, 124)


def test_a_reply_that_spends_the_rest_goes_on_and_the_next_is_refused(owner: Principal) -> None:
    model = make_priced()
    conversation = start(owner, model)
    budget = make_budget(owner, "0.01", "money")
    ask(owner, conversation)
    (claim,) = claim_replies(1)
    finish(claim, Counts(1_000, 5_000), model)
    assert state(budget) == (Decimal("0.052"), 0)

    with pytest.raises(BudgetExceeded, match=r"budget of 0.01 USD a month is spent\. It starts anew on 1 "):
        ask(owner, conversation)


@pytest.mark.parametrize("ending", ["stopped", "failed", "deleted", "retried"])
def test_what_was_set_aside_for_nothing_is_given_back(owner: Principal, ending: str) -> None:
    model = make_model()
    conversation = start(owner, model)
    tokens = make_budget(owner, 10_000, "tokens")
    reply = ask(owner, conversation)

    if ending == "stopped":
        actions.stop_reply(owner, reply.id)
    elif ending == "deleted":
        actions.delete_conversation(owner, conversation.id)
    else:
        (claim,) = claim_replies(1)
        finish(claim, None, model, Outcome(Message.Status.FAILED, {"code": "timeout"}))
    assert state(tokens) == (0, 0)
    assert not Reservation.objects.exists()

    if ending == "retried":
        actions.retry_reply(owner, reply.id)
        assert state(tokens) == (0, 604)


def test_regenerating_is_covered_too(owner: Principal) -> None:
    conversation = start(owner)
    reply = ask(owner, conversation)
    claim_replies(1)
    Message.objects.filter(id=reply.id).update(status="done")
    make_budget(owner, 1)
    make_usage(owner)

    with pytest.raises(BudgetExceeded):
        actions.regenerate_reply(owner, reply.id)


def test_replies_deleted_behind_the_products_back_are_swept_and_running_ones_are_not(
    owner: Principal,
) -> None:
    conversation = start(owner)
    budget = make_budget(owner, 10)
    running, deleted = ask(owner, conversation), ask(owner, conversation)
    assert sweep_reservations(older_than_seconds=0) == 0
    Conversation.objects.update(active_leaf=None)
    Message.objects.filter(id=deleted.id).delete()

    assert sweep_reservations(older_than_seconds=0) == 1
    assert state(budget) == (0, 1)
    assert Reservation.objects.get().message == running.id


COVERED = {
    "all": {"owner any", "owner other", "teammate any", "teammate other", "outside any", "outside other"},
    "user": {"owner any", "owner other", "outside any", "outside other"},
    "integration": {"outside any", "outside other"},
    "model": {"owner any", "teammate any", "outside any"},
    "user model": {"owner any", "outside any"},
}


@pytest.mark.parametrize("scope", COVERED)
def test_budgets_cover_whom_they_name(owner: Principal, scope: str) -> None:
    people = {"owner": owner, "teammate": make_principal(workspace=owner.workspace)}
    people["outside"] = make_key_principal(owner, "*:*")
    models = {"any": make_model(), "other": make_model()}
    named = {"user": owner.user, "integration": people["outside"].integration, "model": models["any"]}
    make_budget(owner, 1, **{name: value for name, value in named.items() if name in scope.split()})
    make_usage(people["outside"], model=models["any"])

    refused = set()
    for who, principal in people.items():
        for what, model in models.items():
            try:
                ask(principal, start(principal, model))
            except BudgetExceeded:
                refused.add(f"{who} {what}")

    assert refused == COVERED[scope]


def test_another_workspace_is_not_concerned(owner: Principal) -> None:
    make_budget(owner, 1)
    make_usage(owner)
    stranger = make_principal()
    assert ask(stranger, start(stranger)).status == "queued"


def test_a_new_budget_knows_what_its_period_has_seen(owner: Principal) -> None:
    make_usage(owner, input_tokens=300, output_tokens=200)
    make_usage(owner, created_at=timezone.now() - timedelta(days=40))
    make_usage(owner, purpose="title", cost=None, input_tokens=None, output_tokens=None)
    make_usage(owner, cost=Decimal(7), currency="EUR", input_tokens=1, output_tokens=1)
    month = {unit: make_budget(owner, 10**6, unit) for unit in Budget.Unit}

    ask(owner, start(owner, make_priced()))

    assert {unit: state(budget)[0] for unit, budget in month.items()} == {
        "requests": 2,
        "tokens": 502,
        "money": Decimal("0.003"),
    }


def test_a_disabled_budget_covers_nothing(owner: Principal) -> None:
    make_budget(owner, 1, enabled=False)
    make_usage(owner)
    assert ask(owner, start(owner)).status == "queued"


def test_money_without_a_known_price_passes_unless_the_budget_is_strict(owner: Principal) -> None:
    unpriced, priced = make_model(kind="scripted"), make_priced()
    budget = make_budget(owner, 1, "money")
    assert ask(owner, start(owner, unpriced)).status == "queued"
    change_budget(owner, budget.id, strict=True)

    with pytest.raises(PriceUnknown, match="its price is not known"):
        ask(owner, start(owner, unpriced))
    assert ask(owner, start(owner, priced)).status == "queued"


def test_a_budget_in_another_currency_does_not_know_the_price(owner: Principal) -> None:
    make_budget(owner, 1, "money", currency="EUR", strict=True)
    with pytest.raises(PriceUnknown):
        ask(owner, start(owner, make_priced()))


def test_titles_are_not_requests_and_are_left_out_when_nothing_is_left(owner: Principal) -> None:
    model = make_model()
    budget = make_budget(owner, 2)
    asker = (owner.workspace.id, owner.user.id, None, model.id)  # type: ignore[union-attr]
    make_usage(owner, purpose="title")
    make_usage(owner)
    assert not spending.is_spent(*asker)
    Spending.objects.filter(budget=budget).update(spent=2)
    assert spending.is_spent(*asker)


def test_a_recount_says_what_the_ledger_says(owner: Principal) -> None:
    budget = make_budget(owner, 5, period="day")
    make_usage(owner)
    ask(owner, start(owner))
    Spending.objects.update(spent=99)
    recount_current()
    assert state(budget) == (1, 1)


def test_a_comparison_is_paid_as_a_whole_or_not_begun(owner: Principal) -> None:
    swift, deep = make_model("swift"), make_model("deep")
    conversation = start(owner, swift)
    budget = make_budget(owner, 3)
    ask(owner, conversation)
    compared = {"text": "Which?", "models": [swift.name, deep.name]}
    actions.post_message(owner, conversation.id, **compared)
    before = Message.objects.count()

    with pytest.raises(BudgetExceeded):
        actions.post_message(owner, conversation.id, **compared)

    assert state(budget) == (0, 3)
    assert Message.objects.count() == before
    change_budget(owner, budget.pk, limit=Decimal(4))
    with pytest.raises(BudgetExceeded):  # room for one of two is none
        actions.post_message(owner, conversation.id, **compared)
    assert state(budget) == (0, 3)
    assert Message.objects.count() == before
